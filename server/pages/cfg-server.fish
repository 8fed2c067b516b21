# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_cfg_server_global_optspecs
    string join \n config= h/help V/version
end

function __fish_cfg_server_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_cfg_server_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_cfg_server_using_subcommand
    set -l cmd (__fish_cfg_server_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c cfg-server -n "__fish_cfg_server_needs_command" -l config -d 'The configuration [default: /etc/cfg/server.toml, if it is there]' -r -F
complete -c cfg-server -n "__fish_cfg_server_needs_command" -s h -l help -d 'Print help'
complete -c cfg-server -n "__fish_cfg_server_needs_command" -s V -l version -d 'Print version'
complete -c cfg-server -n "__fish_cfg_server_needs_command" -f -a "init" -d 'Makes the fleet: its CA, and a token for the first operator. Once'
complete -c cfg-server -n "__fish_cfg_server_needs_command" -f -a "run" -d 'Serves, until it is stopped'
complete -c cfg-server -n "__fish_cfg_server_needs_command" -f -a "cloud-init" -d 'Prints the whole user-data for machines of a role'
complete -c cfg-server -n "__fish_cfg_server_needs_command" -f -a "operator-token" -d 'Prints a new one-time token for an operator, for when the first one is lost'
complete -c cfg-server -n "__fish_cfg_server_using_subcommand init" -l fleet -d 'What the fleet is called, in certificates and releases' -r
complete -c cfg-server -n "__fish_cfg_server_using_subcommand init" -l name -d 'A name or address of this server, when there is no configuration yet; may be repeated' -r
complete -c cfg-server -n "__fish_cfg_server_using_subcommand init" -l config -d 'The configuration [default: /etc/cfg/server.toml, if it is there]' -r -F
complete -c cfg-server -n "__fish_cfg_server_using_subcommand init" -s h -l help -d 'Print help'
complete -c cfg-server -n "__fish_cfg_server_using_subcommand run" -l config -d 'The configuration [default: /etc/cfg/server.toml, if it is there]' -r -F
complete -c cfg-server -n "__fish_cfg_server_using_subcommand run" -s h -l help -d 'Print help'
complete -c cfg-server -n "__fish_cfg_server_using_subcommand cloud-init" -l role -d 'The role of the machines' -r
complete -c cfg-server -n "__fish_cfg_server_using_subcommand cloud-init" -l uses -d 'How many machines may boot with it' -r
complete -c cfg-server -n "__fish_cfg_server_using_subcommand cloud-init" -l ttl -d 'How long it works' -r
complete -c cfg-server -n "__fish_cfg_server_using_subcommand cloud-init" -l config -d 'The configuration [default: /etc/cfg/server.toml, if it is there]' -r -F
complete -c cfg-server -n "__fish_cfg_server_using_subcommand cloud-init" -s h -l help -d 'Print help'
complete -c cfg-server -n "__fish_cfg_server_using_subcommand operator-token" -l config -d 'The configuration [default: /etc/cfg/server.toml, if it is there]' -r -F
complete -c cfg-server -n "__fish_cfg_server_using_subcommand operator-token" -s h -l help -d 'Print help'
