//! The packets of findings: a pcapng file for each, so that whoever doubts a finding can look at what it rests on.
//!
//! Captures are read three times more once the audit is done: metered again, to learn which flow records come to which
//! finding; and again, to learn which frames are in those records; and frame by frame, to take them. Every packet of every such record is taken, both directions,
//! fragments, and what is inside a tunnel with the tunnel around it. By default only headers are kept, to the end of the
//! transport header, and the length on the wire beside them.
//!
//! Everything is written to a folder of its own beside the one that was asked for, which takes its place in one step when
//! all of it is there.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::batch::{self, Advance, Input, Place};
use super::folder::{Folder, FolderError};
use super::slice;
use crate::audit::{Attribution, Audit, Grounds};
use crate::diag::with_causes;
use crate::meter::{FlowKey, Frame, Meter, Traced, headers};
use crate::model::{Batch, Decision, Finding, FindingKey, FlowEndReason, InputCoverage, Report, Timestamp};
use crate::source::capture::{Capture, CaptureFormat, Next};
use crate::source::{Options, compression};
use crate::wire::LinkType;

/// How much evidence there is at most. What is beyond is counted and told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most findings that get a file, at most 65,536: the gravest.
    pub slices: usize,
    /// The most packets of one file.
    pub packets: u64,
    /// The most octets of one file.
    pub octets: u64,
    /// The most flow records of one input that are kept in mind.
    pub records: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { slices: 256, packets: 200_000, octets: 64 << 20, records: 2_000_000 }
    }
}

/// The most interfaces of one file: one for each input and link type.
const MAX_INTERFACES: usize = 65_536;

/// What of a packet is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Headers, to the end of the innermost transport header that could be read.
    Headers,
    /// All that was captured.
    Everything,
}

/// Why evidence cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// The folder cannot be written.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Writing failed.
    #[error("cannot write evidence to `{path}`")]
    Io {
        /// Where to.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// What evidence is taken from.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// The inputs of the audit.
    pub inputs: &'a [Input],
    /// What it rests on.
    pub grounds: &'a Grounds,
    /// How the inputs were read.
    pub options: &'a Options,
    /// What it came to, before it was settled.
    pub audit: &'a Audit,
    /// The same, readable: its findings stand in the order of their weight.
    pub report: &'a Report,
    /// How much is written.
    pub limits: Limits,
}

/// The file of one finding while it grows: what follows its head, since the head says what is missing.
struct Slice<'a> {
    finding: &'a Finding,
    body: BufWriter<File>,
    path: PathBuf,
    interfaces: Vec<(usize, LinkType)>,
    packets: u64,
    octets: u64,
    left_out: u64,
}

/// Records by their key and position, and the slices that each is in.
type Wanted = HashMap<(FlowKey, u64), Vec<u16>, FixedState>;

/// Writes the packets of every finding. Returns what a reader of the files should be told.
pub fn write(folder: &Folder, keep: Keep, case: &Case<'_>) -> Result<Vec<String>, EvidenceError> {
    let io = |source| EvidenceError::Io { path: folder.path().to_owned(), source };
    let mut notes = Vec::new();
    let mut slices = Vec::new();
    for finding in case.report.findings.iter().take(case.limits.slices) {
        let path = folder.path().join(format!("{}.pcapng", finding.id));
        let body = File::create_new(path.with_extension("body")).map_err(io)?;
        let body = BufWriter::new(body);
        slices.push(Slice { finding, body, path, interfaces: Vec::new(), packets: 0, octets: 0, left_out: 0 });
    }
    let over = case.report.findings.len().saturating_sub(case.limits.slices);
    if over > 0 {
        notes.push(format!("evidence: {over} findings beyond the {} gravest have no file", case.limits.slices));
    }
    let ids = case.audit.settled(case.grounds).finding_ids(case.grounds);
    let places: HashMap<FindingKey, u16, FixedState> = ids
        .iter()
        .filter_map(|(key, id)| {
            let at = slices.iter().position(|slice| slice.finding.id == *id)?;
            Some((*key, u16::try_from(at).ok()?))
        })
        .collect();
    let mut lost = Vec::new();
    for (number, input) in case.inputs.iter().enumerate() {
        let told = |what: String| format!("evidence: no packets of `{}`: {what}", input.name);
        match format(input, case.options) {
            Ok(Some(_)) => {}
            Ok(None) => {
                lost.push(told("it is not a capture file".to_owned()));
                continue;
            }
            // Why it cannot be read was told by the audit.
            Err(_) => continue,
        }
        let (wanted, forgotten) = records(input, case, &places);
        if forgotten > 0 {
            lost.push(format!(
                "evidence: {forgotten} flow records of `{}` beyond {} were left out",
                input.name, case.limits.records
            ));
        }
        if wanted.is_empty() {
            continue;
        }
        match packets(number, input, keep, case, &wanted, &mut slices) {
            Ok(()) => {}
            Err(Failure::Input(what)) => lost.push(told(what)),
            Err(Failure::Output(error)) => return Err(io(error)),
        }
    }
    for slice in slices {
        if slice.left_out > 0 {
            let (id, left_out, packets) = (&slice.finding.id, slice.left_out, slice.packets);
            notes.push(format!("evidence of {id}: {left_out} packets beyond the first {packets} were left out"));
        }
        slice.finish(keep, case.limits, &lost).map_err(io)?;
    }
    notes.extend(lost);
    folder.finish()?;
    Ok(notes)
}

/// What capture file it is, and what is in it without compression.
type Content = (CaptureFormat, Box<dyn Read + Send>);

/// The content of an input and what capture file it is, if it is one.
fn format(input: &Input, options: &Options) -> Result<Option<Content>, String> {
    let Place::File(path) = &input.place else { return Ok(None) };
    let file = File::open(path).map_err(|error| error.to_string())?;
    let content = compression::unwrap(Box::new(file), options.max_inflate).map_err(|error| with_causes(&error))?;
    Ok(CaptureFormat::of(&content.head).map(|format| (format, content.reader)))
}

/// The records of an input that come to findings, and how many there was no room for.
fn records(input: &Input, case: &Case<'_>, places: &HashMap<FindingKey, u16, FixedState>) -> (Wanted, u64) {
    let mut attribution = Attribution::new(case.audit, case.grounds);
    let mut wanted = Wanted::default();
    let mut forgotten = 0;
    batch::drain(input, case.options, &Arc::new(Advance::default()), &mut |batch| {
        for record in &batch.records {
            let name = record.name.and_then(|id| batch.name(id));
            let keys = attribution.findings(record, name);
            let mut slices: Vec<u16> = keys.iter().filter_map(|key| places.get(key).copied()).collect();
            slices.sort_unstable();
            if slices.is_empty() {
                continue;
            }
            if wanted.len() < case.limits.records {
                wanted.insert((FlowKey::of(record), record.provenance.position()), slices);
            } else {
                forgotten += 1;
            }
        }
        true
    });
    (wanted, forgotten)
}

/// Why packets cannot be taken.
enum Failure {
    Input(String),
    Output(io::Error),
}

/// Opens a capture again, and hands out its frames as far as it can be read: what the audit could not read, it has told.
fn each_frame(
    input: &Input,
    options: &Options,
    take: &mut dyn FnMut(&Frame<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let Some((kind, reader)) = format(input, options).map_err(Failure::Input)? else {
        return Err(Failure::Input("it is no longer the file that was audited".to_owned()));
    };
    let mut capture = Capture::open(kind, reader).map_err(|error| Failure::Input(with_causes(&error)))?;
    loop {
        match capture.next_frame() {
            Ok(Next::Frame(frame)) => take(&frame)?,
            Ok(Next::BadBlock { .. }) => {}
            Ok(Next::Cut { .. } | Next::End) | Err(_) => return Ok(()),
        }
    }
}

/// Takes the packets of records out of an input.
fn packets(
    number: usize,
    input: &Input,
    keep: Keep,
    case: &Case<'_>,
    wanted: &Wanted,
    slices: &mut [Slice<'_>],
) -> Result<(), Failure> {
    let Case { options, limits, .. } = *case;
    // Frames and the slices that they go to. A slice that is full asks for no more, which bounds them.
    let mut chosen: Vec<(u64, u16)> = Vec::new();
    let mut meter = Meter::new(input.id, options.meter).traced();
    let (mut coverage, mut batch) = (InputCoverage::new(&input.name, "evidence"), Batch::default());
    let mut asked: Vec<u64> = slices.iter().map(|slice| slice.packets).collect();
    // Packets whose record is not wanted by the position that it had so far.
    let mut passed: VecDeque<Traced> = VecDeque::with_capacity(Traced::MOST_MOVED);
    let mut choose = |meter: &mut Meter, slices: &mut [Slice<'_>]| {
        for traced in meter.take_trace() {
            let position = (traced.key, traced.position);
            let at = |was| passed.iter().filter(move |before| (before.key, before.position) == (traced.key, was));
            let moved = traced.moved_from.into_iter().flat_map(at);
            let numbers: Vec<u64> = moved.map(|before| before.number).chain([traced.number]).collect();
            let Some(found) = wanted.get(&position) else {
                if passed.len() == Traced::MOST_MOVED {
                    passed.pop_front();
                }
                // What moved once can move again.
                for before in passed.iter_mut().filter(|before| before.key == traced.key) {
                    if Some(before.position) == traced.moved_from {
                        before.position = traced.position;
                    }
                }
                passed.push_back(traced);
                continue;
            };
            for (at, number) in found.iter().flat_map(|at| numbers.iter().map(move |number| (at, number))) {
                match (asked.get_mut(usize::from(*at)), slices.get_mut(usize::from(*at))) {
                    (Some(asked), _) if *asked < limits.packets => {
                        *asked += 1;
                        chosen.push((*number, *at));
                    }
                    (_, Some(slice)) => slice.left_out += 1,
                    _ => {}
                }
            }
        }
    };
    each_frame(input, options, &mut |frame| {
        meter.observe(frame, &mut coverage, &mut batch);
        batch.clear();
        choose(&mut meter, slices);
        Ok(())
    })?;
    meter.flush(FlowEndReason::ForcedEnd, &mut coverage, &mut batch);
    choose(&mut meter, slices);
    // A frame can be in one finding twice: with a tunnel, and with what is in it.
    chosen.sort_unstable();
    chosen.dedup();

    let mut next = chosen.into_iter().peekable();
    let mut last = Timestamp::default();
    each_frame(input, options, &mut |frame| {
        // A frame without a time has that of the frame before, as in the meter.
        last = frame.time.unwrap_or(last);
        while let Some((_, at)) = next.next_if(|(chosen, _)| *chosen == frame.number) {
            let octets = match keep {
                Keep::Headers => frame.octets.get(..headers(frame)).unwrap_or(frame.octets),
                Keep::Everything => frame.octets,
            };
            if let Some(slice) = slices.get_mut(usize::from(at)) {
                let written = Frame { time: Some(last), octets, ..*frame };
                slice.add(number, &input.name, &written, limits).map_err(Failure::Output)?;
            }
        }
        Ok(())
    })
}

impl Slice<'_> {
    fn add(&mut self, input: usize, name: &str, frame: &Frame<'_>, limits: Limits) -> io::Result<()> {
        let known = self.interfaces.iter().position(|interface| *interface == (input, frame.link));
        let is_full = self.packets >= limits.packets || self.octets + frame.octets.len() as u64 > limits.octets;
        if is_full || (known.is_none() && self.interfaces.len() >= MAX_INTERFACES) {
            self.left_out += 1;
            return Ok(());
        }
        let interface = if let Some(known) = known {
            known
        } else {
            self.interfaces.push((input, frame.link));
            slice::interface(&mut self.body, frame.link, name)?;
            self.interfaces.len() - 1
        };
        let packet = slice::Packet {
            interface: interface as u32,
            time: frame.time.unwrap_or_default(),
            octets: frame.octets,
            original_length: frame.original_length.max(frame.octets.len() as u32),
            comment: &format!("{name} frame {}", frame.number),
        };
        self.octets += slice::packet(&mut self.body, &packet)?;
        self.packets += 1;
        Ok(())
    }

    /// Puts the head before what was written.
    fn finish(mut self, keep: Keep, limits: Limits, lost: &[String]) -> io::Result<()> {
        self.body.flush()?;
        let finding = self.finding;
        let decision = match finding.decision {
            Decision::Forbid => "forbidden",
            Decision::Permit | Decision::Indeterminate => "not decided",
        };
        let rule = finding.rule.as_deref().unwrap_or("the policy's default");
        let mut comments = vec![
            format!("evidence of finding {}: {decision} by {rule}: {}", finding.id, finding.title),
            match keep {
                Keep::Headers => "headers only: each packet is cut after its transport header".to_owned(),
                Keep::Everything => "whole packets, as they were captured".to_owned(),
            },
        ];
        if self.left_out > 0 {
            comments.push(format!(
                "not all: {} packets more were left out (the most are {} packets and {} octets)",
                self.left_out, limits.packets, limits.octets
            ));
        }
        comments.extend(lost.iter().cloned());
        let mut out = BufWriter::new(File::create_new(&self.path)?);
        slice::section(&mut out, &comments)?;
        let body = self.path.with_extension("body");
        io::copy(&mut File::open(&body)?, &mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::remove_file(&body)
    }
}
