//! Flow logs as JSON: what all of them have in common.

use std::io::Read;

use super::intake::Intake;
use crate::diag::with_causes;
use crate::model::{Batch, Caveat, InputCoverage, Skip};
use crate::source::lines::More;
use crate::source::members::{Named, Unknown};
use crate::source::objects::{Object, Objects, Taken};
use crate::source::{Progress, Source, SourceError};

/// What a format makes of an object.
pub(super) trait Records: Send {
    /// Appends what an object says. [`Taken::No`] where it is not of the format: then nothing was appended or counted.
    fn take(&mut self, position: u64, object: &[u8], into: &mut Into<'_>) -> Taken;

    /// Says what is to be said of all objects.
    fn notes(&self, coverage: &mut InputCoverage);
}

/// Where records go.
pub(super) struct Into<'a> {
    pub(super) intake: &'a mut Intake,
    pub(super) batch: &'a mut Batch,
    named: &'a mut Named,
}

impl Into<'_> {
    /// Names members that are not known; `within` is the one that has them.
    pub(super) fn unknown(&mut self, position: u64, within: &str, unknown: &Unknown<'_>) {
        if !unknown.is_empty() {
            self.named.name(&mut self.intake.coverage, position, within, unknown);
        }
    }
}

/// A flow log of objects.
pub(super) struct ObjectLog<R> {
    objects: Objects,
    records: R,
    intake: Intake,
    named: Named,
}

impl<R: Records> ObjectLog<R> {
    /// `always` is true of every record of the format.
    pub(super) fn new(
        reader: Box<dyn Read + Send>,
        coverage: InputCoverage,
        always: &'static [Caveat],
        records: R,
    ) -> Self {
        Self::of(Objects::new(reader), coverage, always, records)
    }

    /// Of objects that were opened with a limit of their own.
    pub(super) fn of(objects: Objects, coverage: InputCoverage, always: &'static [Caveat], records: R) -> Self {
        Self { objects, records, intake: Intake::new(coverage, always), named: Named::default() }
    }
}

impl<R: Records> Source for ObjectLog<R> {
    fn read(&mut self, batch: &mut Batch) -> Result<Progress, SourceError> {
        let Self { objects, records, intake, named } = self;
        let more = objects.read(|position, object| {
            match object {
                Object::Text(text) => return records.take(position, text, &mut Into { intake, batch, named }),
                Object::Malformed => intake.skip(Skip::MalformedLine, position),
                Object::TooLong => intake.skip(Skip::LongLine, position),
            }
            Taken::Yes
        });
        match more {
            Ok(More::Perhaps) => Ok(Progress::More),
            Ok(More::Later) => Ok(Progress::Idle),
            Ok(More::No) => {
                self.intake.coverage.truncated_at = self.objects.pending();
                Ok(Progress::End)
            }
            Err(error) => {
                let error = SourceError::reading(self.objects.offset(), error);
                self.intake.coverage.error = Some(with_causes(&error));
                self.intake.coverage.truncated_at = self.objects.pending();
                Err(error)
            }
        }
    }

    fn coverage(&self) -> InputCoverage {
        let mut coverage = self.intake.coverage();
        self.records.notes(&mut coverage);
        coverage
    }
}
