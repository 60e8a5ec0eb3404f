//! AWS flow logs by way of the log service of AWS: lines as [`super::aws`] reads them, each the `message` of a JSON object.
//!
//! Three wrappings: the events of the command line and of exports (`logStreamName`, `timestamp`, `message`), answers with
//! `events`, and what a subscription sends (`messageType`, `owner`, `logEvents`), one such object after another. The service
//! tests its subscriptions with messages of its own, which are stepped over. It gives no header line: other orders
//! than the default are told by [`Options::fields`](crate::source::Options::fields).
//!
//! The time of an event is when its line was written: that of a flow is in the line.

use std::io::Read;

use super::aws::{self, Reading};
use super::json::{Into, ObjectLog, Records};
use crate::model::{InputCoverage, InputId};
use crate::source::first_object::FirstObject;
use crate::source::lacks;
use crate::source::lines::Line;
use crate::source::members::{Text, members};
use crate::source::objects::Taken;
use crate::source::{Options, Source};

/// The name of the format in reports.
pub const KIND: &str = "aws-cloudwatch-flow-logs";

/// How messages begin with which the service tests a subscription.
const CONTROL: &str = "CWL CONTROL MESSAGE";

members! {
    struct Event<'a> {
        message: Text<'a> = "message",
    }
    ignored "logStreamName" | "logGroupName" | "logGroup" | "logStream" | "timestamp" | "ingestionTime" | "eventId" | "id"
        | "extractedFields" | "owner"
}

/// Whether an input that begins with `head` is of this format: whether a message in it is a line that is read.
pub fn looks_like(head: &[u8]) -> bool {
    let message = FirstObject::of(head).value("message").map(str::to_owned);
    message.is_some_and(|message| message.starts_with(CONTROL) || aws::looks_like(message.as_bytes()))
}

/// Whether the objects of an input have messages at all, for lines whose order the user tells.
pub(in crate::source) fn has_messages(head: &[u8]) -> bool {
    FirstObject::of(head).value("message").is_some_and(|message| !message.is_empty())
}

struct Messages(Reading);

impl Records for Messages {
    fn take(&mut self, position: u64, object: &[u8], into: &mut Into<'_>) -> Taken {
        let Ok(event) = serde_json::from_slice::<Event<'_>>(object) else { return Taken::No };
        let Some(message) = event.message else { return Taken::No };
        into.unknown(position, "", &event.unknown);
        if !message.as_str().starts_with(CONTROL) {
            self.0.line(position, Line::Unchecked(message.as_bytes()), into.intake, into.batch);
        }
        Taken::Yes
    }

    fn notes(&self, coverage: &mut InputCoverage) {
        self.0.notes(coverage);
    }
}

/// Reads JSON: what is compressed is to be inflated before.
pub fn open(id: InputId, name: &str, kind: String, reader: Box<dyn Read + Send>, options: &Options) -> Box<dyn Source> {
    let records = Messages(Reading::new(id, options.fields.as_ref()));
    Box::new(ObjectLog::new(reader, InputCoverage::new(name, kind).lacking(lacks::AWS), &[], records))
}
