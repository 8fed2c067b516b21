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

/// What a root's debconf has.
#[derive(Debug, Default)]
pub struct Database {
    known: BTreeMap<String, String>,
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
                Ok(bytes) => add(&String::from_utf8_lossy(&bytes), &mut database.known),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    database.unread = Some(format!("debconf's {}: {error}", file.display()));
                }
            }
        }
        database
    }

    /// What it has of these questions. One that is not in what could be read may be in the rest.
    pub fn of(&self, asked: &[Answer]) -> Answers {
        let known = |answer: &Answer| self.known.contains_key(&answer.question);
        match &self.unread {
            Some(why) if !asked.iter().all(known) => Answers::Unread { why: why.clone() },
            _ => Answers::Known(self.known.clone()),
        }
    }
}

/// A stanza a question; debconf writes each value on one line.
fn add(text: &str, known: &mut BTreeMap<String, String>) {
    for stanza in text.split("\n\n") {
        let field = |wanted: &str| {
            let mut lines = stanza.lines();
            lines.find_map(|line| {
                let rest = line.strip_prefix(wanted)?.strip_prefix(':')?;
                Some(rest.strip_prefix(' ').unwrap_or(rest).to_owned())
            })
        };
        if let (Some(question), Some(value)) = (field("Name"), field("Value")) {
            known.insert(question, value);
        }
    }
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
