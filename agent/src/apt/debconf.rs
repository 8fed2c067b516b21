//! debconf: its database, read without running it, and answers given to it.

use super::{Apt, words};
use anyhow::{Context as _, bail};
use cfg_catalog::resource::debconf::{Answer, Answers};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

/// Where debconf keeps answers, and passwords apart; as Debian's debconf.conf has it.
const DATABASES: [&str; 2] = [
    "var/cache/debconf/config.dat",
    "var/cache/debconf/passwords.dat",
];

/// Where it keeps what packages say of their questions.
const TEMPLATES: &str = "var/cache/debconf/templates.dat";

/// What a root's debconf has.
#[derive(Debug, Default)]
pub struct Database {
    known: BTreeMap<String, String>,
    /// What can be answered, by question, where that is fixed.
    choices: BTreeMap<String, Vec<String>>,
    /// Why some of it could not be read: passwords are for root alone.
    unread: Option<String>,
}

impl Database {
    /// Reads it; a root without one has no answers.
    pub fn read(root: &Path) -> Self {
        let mut database = Self::default();
        for name in DATABASES {
            let file = root.join(name);
            match std::fs::read(&file) {
                Ok(bytes) => {
                    let fields =
                        |stanza: &str| Some((field(stanza, "Name")?, field(stanza, "Value")?));
                    let text = String::from_utf8_lossy(&bytes);
                    database.known.extend(text.split("\n\n").filter_map(fields));
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    database.unread = Some(format!("debconf's {}: {error}", file.display()));
                }
            }
        }
        let templates = std::fs::read(root.join(TEMPLATES)).unwrap_or_default();
        let text = String::from_utf8_lossy(&templates);
        database.choices = text.split("\n\n").filter_map(choices).collect();
        database
    }

    /// What it has of these questions. One that is not in what could be read may be in the rest.
    pub fn of(&self, asked: &[Answer]) -> Answers {
        let known = |answer: &Answer| self.known.contains_key(&answer.question);
        match &self.unread {
            Some(why) if !asked.iter().all(known) => Answers::Unread { why: why.clone() },
            _ => match asked.iter().find_map(|answer| self.unfit(answer)) {
                Some(why) => Answers::Unfit {
                    known: self.known.clone(),
                    why,
                },
                None => Answers::Known(self.known.clone()),
            },
        }
    }

    /// Why debconf takes another answer than this, whenever the package asks.
    fn unfit(&self, answer: &Answer) -> Option<String> {
        let question = &answer.question;
        let choices = self.choices.get(question)?;
        let fits =
            choices.contains(&answer.value) || self.known.get(question) == Some(&answer.value);
        let all = choices.join(", ");
        (!fits).then(|| format!("debconf's {question} is one of {all}, and the role answers another: let it say one of these"))
    }
}

/// What a question that has one of some answers can be answered; none where its package says so only when it asks.
fn choices(stanza: &str) -> Option<(String, Vec<String>)> {
    let plain = !stanza.contains("\nChoices-c:") && field(stanza, "Type")? == "select";
    let choices = field(stanza, "Choices").filter(|all| plain && !all.contains(['$', '\\']))?;
    let choices = choices.split(',').map(|one| one.trim().to_owned());
    Some((field(stanza, "Name")?, choices.collect()))
}

/// A stanza is of a question; debconf writes each field on one line.
fn field(stanza: &str, wanted: &str) -> Option<String> {
    stanza.lines().find_map(|line| {
        let rest = line.strip_prefix(wanted)?.strip_prefix(':')?;
        Some(rest.strip_prefix(' ').unwrap_or(rest).to_owned())
    })
}

/// What `debconf-set-selections` reads.
fn selections(package: &str, answers: &[Answer]) -> String {
    let owner = words::plain(package);
    let line = |answer: &Answer| {
        let Answer {
            question,
            kind,
            value,
        } = answer;
        format!("{owner} {question} {kind} {value}\n")
    };
    answers.iter().map(line).collect()
}

impl Apt<'_> {
    /// Gives debconf these answers, by package. They go by a pipe: some are passwords.
    ///
    /// # Errors
    /// debconf's own words.
    pub fn answer(&self, answers: &[(&str, &[Answer])]) -> anyhow::Result<()> {
        let given = answers.iter().map(|(name, all)| selections(name, all));
        let given: String = given.collect();
        if given.is_empty() {
            return Ok(());
        }
        let mut task = self.task(vec!["debconf-set-selections".into()]);
        task.stdin = Some(given);
        self.done(self.call_task(&task)?)
            .context("debconf-set-selections")
    }

    /// Has an installed package configure itself by the answers that debconf has.
    ///
    /// # Errors
    /// The package's own words.
    pub fn reconfigure(&self, package: &str) -> anyhow::Result<()> {
        let argv = [
            "dpkg-reconfigure",
            "--frontend=noninteractive",
            "--",
            package,
        ];
        let argv = argv.map(str::to_owned).to_vec();
        self.done(self.call(argv)?).context("dpkg-reconfigure")
    }

    fn done(&self, ended: crate::effect::Ended) -> anyhow::Result<()> {
        match (ended.outcome, words::complaint(&ended.output)) {
            (outcome, _) if outcome.is_success() => Ok(()),
            (outcome, told) if told.is_empty() => bail!("{outcome}"),
            (_, told) => bail!("{told}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "\
Name: postfix/main_mailer_type
Template: postfix/main_mailer_type
Value: Local only
Owners: postfix
Flags: seen
Variables:
 Value = not a field

Name: postfix/root_address
Template: postfix/root_address
Value:
Owners: postfix

Name: postfix/unasked
Template: postfix/unasked
Owners: postfix
";

    fn root(passwords: Option<&str>) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("var/cache/debconf");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("config.dat"), CONFIG).unwrap();
        if let Some(passwords) = passwords {
            std::fs::write(folder.join("passwords.dat"), passwords).unwrap();
        }
        root
    }

    #[test]
    fn answers_of_both_databases() {
        let root = root(Some(
            "Name: db/password\nTemplate: db/password\nValue: a: b \n",
        ));
        let wanted = [
            ("db/password", "a: b "),
            ("postfix/main_mailer_type", "Local only"),
            ("postfix/root_address", ""),
        ];
        let wanted = wanted.map(|(question, value)| (question.to_owned(), value.to_owned()));
        let database = Database::read(root.path());
        assert_eq!(database.of(&[]), Answers::Known(wanted.into()));
    }

    #[test]
    fn no_database_is_no_answers_and_an_unreadable_one_says_so() {
        let empty = tempfile::tempdir().unwrap();
        let asked = |question: &str| {
            [Answer {
                question: question.into(),
                kind: "string".into(),
                value: String::new(),
            }]
        };
        let none = Database::read(empty.path());
        assert_eq!(none.of(&asked("a/b")), Answers::default());
        let root = root(None);
        let file = root.path().join(DATABASES[1]);
        std::fs::create_dir(&file).unwrap();
        let database = Database::read(root.path());
        let known = database.of(&asked("postfix/root_address"));
        assert!(matches!(known, Answers::Known(_)), "the rest is enough");
        let Answers::Unread { why } = database.of(&asked("db/password")) else {
            panic!("a folder was read");
        };
        assert!(why.contains("passwords.dat"), "{why}");
    }

    #[test]
    fn an_answer_that_is_none_of_the_choices_is_unfit() {
        let root = root(Some(""));
        let templates = "Name: a/b\nChoices: red, light green\nType: select\n\n\
            Name: a/open\nChoices: ${some}\nType: select\n\n\
            Name: postfix/main_mailer_type\nChoices: x\nType: select\n";
        std::fs::write(root.path().join(TEMPLATES), templates).unwrap();
        let database = Database::read(root.path());
        for (question, value, fits) in [
            ("a/b", "red", true),
            ("a/b", "light green", true),
            ("a/b", "blue", false),
            ("a/open", "blue", true),
            ("a/unknown", "blue", true),
            ("postfix/main_mailer_type", "Local only", true),
            ("postfix/main_mailer_type", "y", false),
        ] {
            let asked = Answer {
                question: question.into(),
                kind: "select".into(),
                value: value.into(),
            };
            let known = matches!(database.of(&[asked]), Answers::Known(_));
            assert_eq!(known, fits, "{question} {value}");
        }
    }

    #[test]
    fn a_line_an_answer() {
        let answer = |question: &str, kind: &str, value: &str| Answer {
            question: question.into(),
            kind: kind.into(),
            value: value.into(),
        };
        let all = [
            answer("a/b", "select", "No thing"),
            answer("a/c", "string", ""),
        ];
        assert_eq!(
            selections("a:i386", &all),
            "a a/b select No thing\na a/c string \n"
        );
    }
}
