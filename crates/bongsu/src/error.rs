//! What a command says when it can't do what it was asked: what is wrong, where, what to do.

use serde_json::{Map, Value, json};

/// How the program ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// 0.
    Fine,
    /// 1: it ran, and the answer is "no": findings, declined, mismatch.
    No,
    /// 2: it could not run: bad arguments, bad input, no connection.
    Failed,
}

impl Exit {
    /// The number that the shell sees.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::No => 1,
            Self::Failed => 2,
        }
    }
}

/// A failure, for people (standard error) and for scripts (`{"error":{...}}`).
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Failure {
    /// One word that scripts rely on.
    pub(crate) kind: &'static str,
    /// What is wrong, in one sentence.
    pub(crate) message: String,
    /// file:line:column, field, byte, address.
    pub(crate) place: Option<String>,
    /// What to do about it.
    pub(crate) remedy: Option<String>,
    /// 1 or 2.
    pub(crate) exit: Exit,
    /// More keys of the JSON object, after the usual ones.
    pub(crate) details: Vec<(&'static str, Value)>,
}

impl Failure {
    /// The command could not run: exit 2.
    pub(crate) fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            place: None,
            remedy: None,
            exit: Exit::Failed,
            details: Vec::new(),
        }
    }

    /// The command ran, and the answer is "no": exit 1.
    pub(crate) fn no(kind: &'static str, message: impl Into<String>) -> Self {
        Self { exit: Exit::No, ..Self::new(kind, message) }
    }

    /// Says where.
    pub(crate) fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// Says what to do.
    pub(crate) fn todo(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Adds a key to the JSON object.
    pub(crate) fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.details.push((key, value.into()));
        self
    }

    /// A file or stream that could not be read.
    pub(crate) fn unreadable(place: impl Into<String>, error: &std::io::Error) -> Self {
        let failure = Self::new("unreadable", format!("it can't be read: {error}")).at(place);
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => {
                failure.todo("run this as its owner; of a nation's files, who started the nation")
            }
            std::io::ErrorKind::NotFound => failure.todo("check the path"),
            std::io::ErrorKind::NotADirectory => {
                failure.todo("a part of this path is a file: name a directory, as with --dir")
            }
            _ => failure.todo("name what can be read"),
        }
    }

    /// A text that does not fit its field, and where it was given.
    pub(crate) fn unfit(place: &'static str) -> impl Fn(scheme::TextError) -> Self {
        move |error| Self::new("usage", error.to_string()).at(place)
    }

    /// `{"error":{"kind","message","where","do",...}}`.
    pub(crate) fn json(&self) -> Value {
        let mut error = Map::new();
        error.insert("kind".into(), self.kind.into());
        error.insert("message".into(), self.message.clone().into());
        error.insert("where".into(), self.place.clone().into());
        error.insert("do".into(), self.remedy.clone().into());
        for (key, value) in &self.details {
            error.insert((*key).into(), value.clone());
        }
        json!({ "error": error })
    }

    /// The same for people, without a line end.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("error: {}", self.message);
        if let Some(place) = &self.place {
            text += &format!("\n  where: {place}");
        }
        if let Some(remedy) = &self.remedy {
            text += &format!("\n  do: {remedy}");
        }
        text
    }
}

impl From<node::RunError> for Failure {
    fn from(error: node::RunError) -> Self {
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        Self {
            place: some(error.place),
            remedy: some(error.remedy),
            ..Self::new(error.kind.name(), error.message)
        }
    }
}
