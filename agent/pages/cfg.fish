# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_cfg_global_optspecs
    string join \n config= h/help V/version
end

function __fish_cfg_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_cfg_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_cfg_using_subcommand
    set -l cmd (__fish_cfg_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c cfg -n "__fish_cfg_needs_command" -l config -d 'The agent\'s configuration' -r -F
complete -c cfg -n "__fish_cfg_needs_command" -s h -l help -d 'Print help'
complete -c cfg -n "__fish_cfg_needs_command" -s V -l version -d 'Print version'
complete -c cfg -n "__fish_cfg_needs_command" -f -a "apply" -d 'One run, now'
complete -c cfg -n "__fish_cfg_needs_command" -f -a "agent" -d 'The daemon: applies at once when the server has news, and at every interval'
complete -c cfg -n "__fish_cfg_needs_command" -f -a "enroll" -d 'Makes a key and gets a certificate for this machine'
complete -c cfg -n "__fish_cfg_needs_command" -f -a "status" -d 'How this machine stands to its role and its server'
complete -c cfg -n "__fish_cfg_needs_command" -f -a "facts" -d 'What cfg finds out about this machine'
complete -c cfg -n "__fish_cfg_needs_command" -f -a "explain" -d 'Where a resource is declared, what it comes to, what it waits for, and whether it would change'
complete -c cfg -n "__fish_cfg_needs_command" -f -a "check" -d 'Checks a catalog: every role, with sample facts'
complete -c cfg -n "__fish_cfg_needs_command" -f -a "schema" -d 'Prints the JSON Schema of role.toml, by which editors complete and check it'
complete -c cfg -n "__fish_cfg_needs_command" -f -a "render" -d 'Shows what a role makes of this machine\'s facts'
complete -c cfg -n "__fish_cfg_needs_command" -f -a "operator" -d 'This desk\'s own access to the server'
complete -c cfg -n "__fish_cfg_needs_command" -f -a "publish" -d 'Checks a catalog and makes it the fleet\'s release'
complete -c cfg -n "__fish_cfg_needs_command" -f -a "token" -d 'Tokens that machines and operators enrol with'
complete -c cfg -n "__fish_cfg_needs_command" -f -a "node" -d 'One machine of the fleet'
complete -c cfg -n "__fish_cfg_needs_command" -f -a "fleet" -d 'Every machine of the fleet'
complete -c cfg -n "__fish_cfg_using_subcommand apply" -l only -d 'Only these resources, with what they must come after' -r
complete -c cfg -n "__fish_cfg_using_subcommand apply" -l root -d 'Take this folder for `/`' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand apply" -l catalog -d 'Without a server: the catalog' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand apply" -l role -d 'The role' -r
complete -c cfg -n "__fish_cfg_using_subcommand apply" -l set -d 'A param\'s value, over all others; may be given more than once' -r
complete -c cfg -n "__fish_cfg_using_subcommand apply" -l fleet -d 'The other machines, as TOML or JSON' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand apply" -l secrets -d 'The values of secret params, as TOML: NAME = "value". Nobody but its owner may read it' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand apply" -l why -d 'Why that is right now, in a line' -r
complete -c cfg -n "__fish_cfg_using_subcommand apply" -l config -d 'The agent\'s configuration' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand apply" -l dry-run -d 'Show what would change, and change nothing'
complete -c cfg -n "__fish_cfg_using_subcommand apply" -l json -d 'The plan or the run as one JSON document'
complete -c cfg -n "__fish_cfg_using_subcommand apply" -l prune -d 'Bring what has left the role back to what was there before cfg'
complete -c cfg -n "__fish_cfg_using_subcommand apply" -l without-slot -d 'Do not wait until this machine may disrupt what it does; --why goes into the records'
complete -c cfg -n "__fish_cfg_using_subcommand apply" -s h -l help -d 'Print help'
complete -c cfg -n "__fish_cfg_using_subcommand agent" -l root -d 'Take this folder for `/`' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand agent" -l config -d 'The agent\'s configuration' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand agent" -s h -l help -d 'Print help'
complete -c cfg -n "__fish_cfg_using_subcommand enroll" -l server -d 'The server: https://HOST or https://HOST:PORT; `server` of agent.toml where not given' -r
complete -c cfg -n "__fish_cfg_using_subcommand enroll" -l token -d 'The token; visible to everybody in the list of processes' -r
complete -c cfg -n "__fish_cfg_using_subcommand enroll" -l token-file -d 'A file that holds the token; removed when it is spent' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand enroll" -l ca-sha256 -d 'SHA-256 of the server\'s CA certificate' -r
complete -c cfg -n "__fish_cfg_using_subcommand enroll" -l name -d 'The node\'s name; `node` of agent.toml or the host name where not given' -r
complete -c cfg -n "__fish_cfg_using_subcommand enroll" -l config -d 'The agent\'s configuration' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand enroll" -l start -d 'Install and start the agent as a systemd unit'
complete -c cfg -n "__fish_cfg_using_subcommand enroll" -s h -l help -d 'Print help'
complete -c cfg -n "__fish_cfg_using_subcommand status" -l root -d 'Of the runs that took this folder for `/`' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand status" -l config -d 'The agent\'s configuration' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand status" -l json -d 'As one JSON document'
complete -c cfg -n "__fish_cfg_using_subcommand status" -s h -l help -d 'Print help'
complete -c cfg -n "__fish_cfg_using_subcommand facts" -l config -d 'The agent\'s configuration' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand facts" -l json -d 'As one JSON document'
complete -c cfg -n "__fish_cfg_using_subcommand facts" -s h -l help -d 'Print help'
complete -c cfg -n "__fish_cfg_using_subcommand explain" -l root -d 'Take this folder for `/`' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand explain" -l catalog -d 'Without a server: the catalog' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand explain" -l role -d 'The role' -r
complete -c cfg -n "__fish_cfg_using_subcommand explain" -l set -d 'A param\'s value, over all others; may be given more than once' -r
complete -c cfg -n "__fish_cfg_using_subcommand explain" -l fleet -d 'The other machines, as TOML or JSON' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand explain" -l secrets -d 'The values of secret params, as TOML: NAME = "value". Nobody but its owner may read it' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand explain" -l config -d 'The agent\'s configuration' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand explain" -l json -d 'As one JSON document'
complete -c cfg -n "__fish_cfg_using_subcommand explain" -s h -l help -d 'Print help'
complete -c cfg -n "__fish_cfg_using_subcommand check" -l config -d 'The agent\'s configuration' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand check" -l json -d 'What was found as one JSON document'
complete -c cfg -n "__fish_cfg_using_subcommand check" -s h -l help -d 'Print help'
complete -c cfg -n "__fish_cfg_using_subcommand schema" -l config -d 'The agent\'s configuration' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand schema" -l fleet -d 'That of fleet.toml'
complete -c cfg -n "__fish_cfg_using_subcommand schema" -s h -l help -d 'Print help'
complete -c cfg -n "__fish_cfg_using_subcommand render" -l catalog -d 'The catalog: the folder that holds a folder for each role' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand render" -l role -d 'The role' -r
complete -c cfg -n "__fish_cfg_using_subcommand render" -l set -d 'A param\'s value, over all others; may be given more than once' -r
complete -c cfg -n "__fish_cfg_using_subcommand render" -l fleet -d 'The other machines, as TOML or JSON' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand render" -l secrets -d 'The values of secret params, as TOML: NAME = "value". Nobody but its owner may read it' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand render" -l config -d 'The agent\'s configuration' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand render" -l json -d 'As one JSON document'
complete -c cfg -n "__fish_cfg_using_subcommand render" -s h -l help -d 'Print help'
complete -c cfg -n "__fish_cfg_using_subcommand operator; and not __fish_seen_subcommand_from init" -l config -d 'The agent\'s configuration' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand operator; and not __fish_seen_subcommand_from init" -s h -l help -d 'Print help'
complete -c cfg -n "__fish_cfg_using_subcommand operator; and not __fish_seen_subcommand_from init" -f -a "init" -d 'Makes a key at this desk and gets an operator\'s certificate for it'
complete -c cfg -n "__fish_cfg_using_subcommand operator; and __fish_seen_subcommand_from init" -l server -d 'The server: https://HOST or https://HOST:PORT' -r
complete -c cfg -n "__fish_cfg_using_subcommand operator; and __fish_seen_subcommand_from init" -l enrol -d 'Where it takes enrolments; the port after the server\'s where not given' -r
complete -c cfg -n "__fish_cfg_using_subcommand operator; and __fish_seen_subcommand_from init" -l token -d 'The token; visible to everybody in the list of processes' -r
complete -c cfg -n "__fish_cfg_using_subcommand operator; and __fish_seen_subcommand_from init" -l token-file -d 'A file that holds the token; removed when it is spent' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand operator; and __fish_seen_subcommand_from init" -l ca-sha256 -d 'SHA-256 of the server\'s CA certificate, as `cfg-server init` prints it' -r
complete -c cfg -n "__fish_cfg_using_subcommand operator; and __fish_seen_subcommand_from init" -l name -d 'The operator\'s name; the login name where not given' -r
complete -c cfg -n "__fish_cfg_using_subcommand operator; and __fish_seen_subcommand_from init" -l config -d 'The agent\'s configuration' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand operator; and __fish_seen_subcommand_from init" -s h -l help -d 'Print help'
complete -c cfg -n "__fish_cfg_using_subcommand publish" -l above -d 'As a release above this number: machines have seen it from a server that was restored from a backup since' -r
complete -c cfg -n "__fish_cfg_using_subcommand publish" -l config -d 'The agent\'s configuration' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand publish" -l force -d 'Also when somebody else published meanwhile, or the catalog lacks a role that machines have'
complete -c cfg -n "__fish_cfg_using_subcommand publish" -l json -d 'As one JSON document'
complete -c cfg -n "__fish_cfg_using_subcommand publish" -s h -l help -d 'Print help'
complete -c cfg -n "__fish_cfg_using_subcommand token; and not __fish_seen_subcommand_from create list revoke" -l config -d 'The agent\'s configuration' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand token; and not __fish_seen_subcommand_from create list revoke" -s h -l help -d 'Print help'
complete -c cfg -n "__fish_cfg_using_subcommand token; and not __fish_seen_subcommand_from create list revoke" -f -a "create" -d 'Makes a token that machines enrol with; it is shown once'
complete -c cfg -n "__fish_cfg_using_subcommand token; and not __fish_seen_subcommand_from create list revoke" -f -a "list" -d 'The tokens that there are'
complete -c cfg -n "__fish_cfg_using_subcommand token; and not __fish_seen_subcommand_from create list revoke" -f -a "revoke" -d 'Ends a token before its time'
complete -c cfg -n "__fish_cfg_using_subcommand token; and __fish_seen_subcommand_from create" -l role -d 'The role of the machines that enrol with it' -r
complete -c cfg -n "__fish_cfg_using_subcommand token; and __fish_seen_subcommand_from create" -l uses -d 'How many may enrol with it' -r
complete -c cfg -n "__fish_cfg_using_subcommand token; and __fish_seen_subcommand_from create" -l ttl -d 'How long it lasts' -r
complete -c cfg -n "__fish_cfg_using_subcommand token; and __fish_seen_subcommand_from create" -l config -d 'The agent\'s configuration' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand token; and __fish_seen_subcommand_from create" -l operator -d 'For an operator\'s desk instead of a machine'
complete -c cfg -n "__fish_cfg_using_subcommand token; and __fish_seen_subcommand_from create" -l json -d 'As one JSON document'
complete -c cfg -n "__fish_cfg_using_subcommand token; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help'
complete -c cfg -n "__fish_cfg_using_subcommand token; and __fish_seen_subcommand_from list" -l config -d 'The agent\'s configuration' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand token; and __fish_seen_subcommand_from list" -l json -d 'As one JSON document'
complete -c cfg -n "__fish_cfg_using_subcommand token; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c cfg -n "__fish_cfg_using_subcommand token; and __fish_seen_subcommand_from revoke" -l config -d 'The agent\'s configuration' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand token; and __fish_seen_subcommand_from revoke" -s h -l help -d 'Print help'
complete -c cfg -n "__fish_cfg_using_subcommand node; and not __fish_seen_subcommand_from show revoke replace" -l config -d 'The agent\'s configuration' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand node; and not __fish_seen_subcommand_from show revoke replace" -s h -l help -d 'Print help'
complete -c cfg -n "__fish_cfg_using_subcommand node; and not __fish_seen_subcommand_from show revoke replace" -f -a "show" -d 'What the server knows of a machine'
complete -c cfg -n "__fish_cfg_using_subcommand node; and not __fish_seen_subcommand_from show revoke replace" -f -a "revoke" -d 'Shuts a machine out, at once'
complete -c cfg -n "__fish_cfg_using_subcommand node; and not __fish_seen_subcommand_from show revoke replace" -f -a "replace" -d 'Shuts a machine out, and makes a token for the one that takes its place, with its id'
complete -c cfg -n "__fish_cfg_using_subcommand node; and __fish_seen_subcommand_from show" -l config -d 'The agent\'s configuration' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand node; and __fish_seen_subcommand_from show" -l json -d 'As one JSON document'
complete -c cfg -n "__fish_cfg_using_subcommand node; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c cfg -n "__fish_cfg_using_subcommand node; and __fish_seen_subcommand_from revoke" -l config -d 'The agent\'s configuration' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand node; and __fish_seen_subcommand_from revoke" -s h -l help -d 'Print help'
complete -c cfg -n "__fish_cfg_using_subcommand node; and __fish_seen_subcommand_from replace" -l ttl -d 'How long the token lasts' -r
complete -c cfg -n "__fish_cfg_using_subcommand node; and __fish_seen_subcommand_from replace" -l config -d 'The agent\'s configuration' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand node; and __fish_seen_subcommand_from replace" -l json -d 'As one JSON document'
complete -c cfg -n "__fish_cfg_using_subcommand node; and __fish_seen_subcommand_from replace" -s h -l help -d 'Print help'
complete -c cfg -n "__fish_cfg_using_subcommand fleet" -l config -d 'The agent\'s configuration' -r -F
complete -c cfg -n "__fish_cfg_using_subcommand fleet" -l json -d 'As one JSON document'
complete -c cfg -n "__fish_cfg_using_subcommand fleet" -s h -l help -d 'Print help'
