//! The framing of captures, on files made by hand: expected values are those of the drafts, worked out by hand.

use std::io::{self, Cursor, Read};

use landfall::diag::with_causes;
use landfall::model::Drops;
use landfall::source::SourceError;
use landfall::source::capture::{Capture, CaptureFormat, MAX_RECORD, Next};
use landfall::source::compression::unwrap;
use proptest::prelude::*;

use crate::capture_file::Order::{Big, Little};
use crate::capture_file::{File, gzip, zstd};

/// A frame as it was read, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Frame {
    number: u64,
    time: Option<u64>,
    link: u32,
    octets: Vec<u8>,
    original: u32,
}

/// All that a capture gives.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
struct All {
    frames: Vec<Frame>,
    bad: Vec<(u64, u64)>,
    cut: Option<u64>,
    error: Option<String>,
    drops: Option<Drops>,
}

fn read_from(reader: impl Read + Send + 'static) -> All {
    let mut all = All::default();
    if let Err(error) = collect(Box::new(reader), &mut all) {
        all.error = Some(with_causes(&error));
    }
    all
}

fn collect(reader: Box<dyn Read + Send>, all: &mut All) -> Result<(), SourceError> {
    let input = unwrap(reader, 1 << 20)?;
    let Some(format) = CaptureFormat::of(&input.head) else {
        return Err(SourceError::NotRecognised { looks_like: "no capture", help: None });
    };
    let mut capture = Capture::open(format, input.reader)?;
    let result = loop {
        match capture.next_frame() {
            Ok(Next::Frame(frame)) => all.frames.push(Frame {
                number: frame.number,
                time: frame.time.map(|time| time.0),
                link: frame.link.0,
                octets: frame.octets.to_vec(),
                original: frame.original_length,
            }),
            Ok(Next::BadBlock { number, octets }) => all.bad.push((number, octets)),
            Ok(Next::Cut { offset }) => all.cut = Some(offset),
            Ok(Next::End) => break Ok(()),
            Err(error) => {
                assert!(matches!(capture.next_frame(), Ok(Next::End)), "an error is given once");
                break Err(error);
            }
        }
    };
    all.drops = capture.drops();
    result
}

fn read(file: &[u8]) -> All {
    read_from(Cursor::new(file.to_vec()))
}

/// The error of a file that gives nothing else.
fn error(file: &[u8]) -> String {
    let all = read(file);
    assert!(all.frames.is_empty() && all.bad.is_empty() && all.cut.is_none(), "{all:?}");
    all.error.unwrap()
}

fn frame(number: u64, time: u64, link: u32, octets: &[u8], original: u32) -> Frame {
    Frame { number, time: Some(time), link, octets: octets.to_vec(), original }
}

const S: u64 = 1_000_000_000;

#[test]
fn pcap_in_each_byte_order_and_resolution() {
    for (order, first) in [(Little, [0xd4, 0xc3, 0xb2, 0xa1]), (Big, [0xa1, 0xb2, 0xc3, 0xd4])] {
        let file = File::pcap(order, 0xa1b2_c3d4, (2, 4), 1).record(7, 250_000, b"abc", 60).record(8, 1, b"", 0);
        assert_eq!(file.octets[..4], first);
        let frames = vec![frame(1, 7 * S + 250_000_000, 1, b"abc", 60), frame(2, 8 * S + 1000, 1, b"", 0)];
        assert_eq!(read(&file.octets), All { frames, ..All::default() });

        let file = File::pcap(order, 0xa1b2_3c4d, (2, 4), 101).record(u32::MAX, 999_999_999, b"abcde", 3);
        let frames = vec![frame(1, 4_294_967_295 * S + 999_999_999, 101, b"abcde", 3)];
        assert_eq!(read(&file.octets), All { frames, ..All::default() }, "captured more than there was");
    }
}

#[test]
fn pcap_of_kuznetzov_has_eight_octets_more_a_record() {
    for order in [Little, Big] {
        let file = File::pcap(order, 0xa1b2_cd34, (2, 4), 1);
        let file = file.u32(7).u32(1).u32(3).u32(9).u32(2).u16(0x0800).raw(&[0, 0]).raw(b"abc");
        let frames = vec![frame(1, 7 * S + 1000, 1, b"abc", 9)];
        assert_eq!(read(&file.octets), All { frames, ..All::default() });
    }
}

#[test]
fn pcap_before_2_4_may_give_the_original_length_first() {
    let swapped = |minor| File::pcap(Little, 0xa1b2_c3d4, (2, minor), 1).u32(7).u32(0).u32(9).u32(3).raw(b"abc");
    let frames = vec![frame(1, 7 * S, 1, b"abc", 9)];
    assert_eq!(read(&swapped(2).octets).frames, frames);
    assert_eq!(read(&swapped(3).octets).frames, frames);
    let straight = File::pcap(Little, 0xa1b2_c3d4, (2, 3), 1).record(7, 0, b"abc", 9);
    assert_eq!(read(&straight.octets).frames, frames);
}

#[test]
fn pcap_headers_that_are_refused() {
    let pcap = |version, network| File::pcap(Big, 0xa1b2_c3d4, version, network).octets;
    assert_eq!(error(&pcap((1, 4), 1)), "malformed at octet 4: pcap version 1.4 is not read, only 2");
    let reserved = "malformed at octet 20: reserved bits of the link type are not zero (0x00300001)";
    assert_eq!(error(&pcap((2, 4), 0x0030_0001)), reserved);
    for length in 4..24 {
        let expected = format!("malformed at octet 0: file header cut short: {length} of 24 octets");
        assert_eq!(error(&pcap((2, 4), 1)[..length]), expected);
    }
    assert_eq!(read(&pcap((2, 4), 1)), All::default(), "a file of no packets");
    let frames = read(&File::pcap(Big, 0xa1b2_c3d4, (2, 4), 0xf400_0001).record(0, 0, b"a", 1).octets).frames;
    assert_eq!(frames, [frame(1, 0, 1, b"a", 1)], "the length of the check sequence is not part of the link type");
}

#[test]
fn pcap_that_breaks_off_says_where() {
    let file = File::pcap(Little, 0xa1b2_c3d4, (2, 4), 1).record(1, 0, b"abcd", 4).record(2, 0, b"efgh", 4).octets;
    assert_eq!(file.len(), 24 + 20 + 20);
    for length in 24..file.len() {
        let all = read(&file[..length]);
        let whole = (length - 24) / 20;
        assert_eq!(all.frames.len(), whole);
        assert_eq!(all.cut, ((length - 24) % 20 != 0).then_some(24 + 20 * whole as u64), "{length} octets");
        assert_eq!(all.error, None);
    }
}

#[test]
fn pcap_stops_at_a_length_that_cannot_be() {
    let good = File::pcap(Little, 0xa1b2_c3d4, (2, 4), 1).record(1, 0, b"abcd", 4);
    let file = good.clone().u32(2).u32(0).u32(262_145).u32(262_145).raw(&vec![0; 300_000]);
    let all = read(&file.octets);
    assert_eq!(all.frames.len(), 1, "what comes before is read");
    let reason = "malformed at octet 44: a packet of 262145 captured octets, where 262144 is the most";
    assert_eq!(all.error.as_deref(), Some(reason));
    let file = good.u32(2).u32(0).u32(262_144).u32(262_144).raw(&vec![7; 262_144]);
    assert_eq!(read(&file.octets).frames[1].octets, vec![7; 262_144], "longer than what is read at once");

    let huge = File::new(Little).u32(0xa1b2_c3d4).u16(2).u16(4).u32(0).u32(0).u32(u32::MAX).u32(1);
    let all = read(&huge.clone().u32(0).u32(0).u32(300_000).u32(300_000).raw(&vec![7; 300_000]).octets);
    assert_eq!(all.frames[0].octets.len(), 300_000, "announced in the file header");
    let all = read(&huge.u32(0).u32(0).u32((16 << 20) + 1).u32(0).octets);
    assert!(all.error.unwrap().ends_with("a packet of 16777217 captured octets, where 16777216 is the most"));
}

#[test]
fn pcapng_enhanced_packets_of_several_interfaces() {
    for order in [Little, Big] {
        let file = File::section(order);
        let (nanos, binary) = (file.body().option(9, &[9]), file.body().option(9, &[0x8a]));
        let offset = file.body().option(2, b"eth0").option(14, &file.body().u64(100).octets).option(0, b"");
        let file = file.clone().interface(1, 0, &file.body()).interface(101, 0, &nanos).interface(113, 0, &binary);
        let file = file.interface(1, 0, &offset);
        let file = file.enhanced(0, 1_500_000, b"a", 60).enhanced(1, 3 * S + 7, b"bcd", 3).enhanced(2, 1536, b"", 0);
        let file = file.enhanced(3, 5, b"efgh", 4);
        let frames = vec![
            frame(1, S + S / 2, 1, b"a", 60),
            frame(2, 3 * S + 7, 101, b"bcd", 3),
            frame(3, S + S / 2, 113, b"", 0),
            frame(4, 100 * S + 5000, 1, b"efgh", 4),
        ];
        assert_eq!(read(&file.octets), All { frames, ..All::default() }, "{order:?}");
    }
}

#[test]
fn pcapng_sections_of_either_byte_order_begin_anew() {
    let little = File::section(Little);
    let little =
        little.clone().interface(1, 0, &little.body()).interface(101, 0, &little.body()).enhanced(1, 1, b"a", 1);
    let big = File::section(Big);
    let big = big.clone().interface(228, 0, &big.body()).enhanced(0, 2, b"b", 1).enhanced(1, 3, b"c", 1);
    let all = read(&little.raw(&big.octets).octets);
    assert_eq!(all.frames, [frame(1, 1000, 101, b"a", 1), frame(2, 2000, 228, b"b", 1)]);
    assert_eq!(all.bad, [(3, 36)], "the second section has one interface only");
}

#[test]
fn pcapng_simple_and_old_packets() {
    let file = File::section(Big);
    let body = file.body();
    let file = file.interface(1, 4, &body.clone());
    let file = file.block(3, body.clone().u32(9).raw(b"abcd")).block(3, body.clone().u32(2).raw(b"ab"));
    let file = file.block(3, body.clone().u32(9).raw(b""));
    let old = body.clone().u16(0).u16(5).u32(0).u32(1).u32(3).u32(60).raw(b"xyz");
    let unknown = body.u16(0).u16(0xffff).u32(0).u32(2).u32(1).u32(1).raw(b"z");
    let all = read(&file.block(2, old).block(2, unknown).octets);
    let simple = |number, octets: &[u8], original| Frame { time: None, ..frame(number, 0, 1, octets, original) };
    let old = [frame(4, 1000, 1, b"xyz", 60), frame(5, 2000, 1, b"z", 1)];
    assert_eq!(all.frames, [vec![simple(1, b"abcd", 9), simple(2, b"ab", 2)], old.to_vec()].concat());
    assert_eq!(all.bad, [(3, 16)], "shorter than its own lengths say");
    assert_eq!(all.drops, Some(Drops { kernel: 5, interface: 0 }));
}

#[test]
fn pcapng_drops_are_the_last_of_each_interface() {
    let file = File::section(Little);
    let body = file.body();
    let statistics = |interface: u32, ifdrop: u64, osdrop: u64| {
        let value = |number| body.clone().u64(number).octets;
        let head = body.clone().u32(interface).u64(0);
        head.option(4, &value(99)).option(5, &value(ifdrop)).option(7, &value(osdrop)).option(0, b"")
    };
    let with_drops = |interface: u32, drops: u64| {
        let packet = body.clone().u32(interface).u32(0).u32(0).u32(1).u32(1).raw(b"a").pad();
        packet.option(4, &body.clone().u64(drops).octets)
    };
    let one = file.interface(1, 0, &body.clone()).interface(1, 0, &body.clone()).interface(1, 0, &body.clone());
    assert_eq!(read(&one.octets).drops, None);
    let one = one.block(5, statistics(0, 1, 2)).block(5, statistics(1, 10, 20)).block(5, statistics(0, 3, 4));
    let one = one.block(6, with_drops(0, 1000)).block(6, with_drops(2, 100)).block(6, with_drops(2, 100));
    assert_eq!(read(&one.octets).drops, Some(Drops { kernel: 24 + 200, interface: 13 }));
    let two = one.more_section().interface(1, 0, &body.clone()).block(5, statistics(0, 0, 1));
    let all = read(&two.octets);
    assert_eq!(all.drops, Some(Drops { kernel: 225, interface: 13 }));
    assert!(all.bad.is_empty() && all.frames.len() == 3);
}

#[test]
fn pcapng_other_blocks_are_stepped_over() {
    let file = File::section(Little);
    let body = file.body();
    let mut file = file.interface(1, 0, &body.clone());
    for kind in [4, 7, 9, 10, 0xbad, 0x4000_0bad, 0x8000_0001, 0xffff_ffff] {
        file = file.block(kind, body.clone().raw(b"any content")).block(kind, body.clone());
    }
    let all = read(&file.enhanced(0, 1, b"a", 1).octets);
    assert_eq!(all, All { frames: vec![frame(1, 1000, 1, b"a", 1)], ..All::default() });
}

#[test]
fn pcapng_bad_blocks_are_counted() {
    let file = File::section(Little);
    let body = file.body();
    let file = file.block(3, body.clone().u32(1).raw(b"a")).interface(1, 0, &body.clone());
    let beyond = body.clone().u32(0).u64(0).u32(5).u32(5).raw(b"abcd");
    let statistics = body.clone().u32(0).u64(0).u16(5).u16(80).u64(0);
    let file = file.enhanced(1, 1, b"a", 1).block(6, beyond).block(6, body.clone().u32(0)).block(5, statistics);
    let all = read(&file.enhanced(0, 1, b"a", 1).octets);
    assert_eq!(all.bad, [(1, 20), (2, 36), (3, 36), (4, 16), (5, 36)]);
    assert_eq!(all.frames, [frame(6, 1000, 1, b"a", 1)]);
}

#[test]
fn pcapng_stops_where_it_contradicts_itself() {
    let file = File::section(Little);
    let body = file.body();
    let file = file.interface(1, 0, &body.clone()).enhanced(0, 1, b"a", 1);
    let at = file.octets.len();
    assert_eq!(at, 28 + 20 + 36);
    let after = |octets: &[u8]| {
        let all = read(&file.clone().raw(octets).enhanced(0, 2, b"b", 1).octets);
        assert_eq!(all.frames.len(), 1, "what comes before is read, nothing after");
        let error = all.error.unwrap();
        error.strip_prefix("malformed at octet 84: ").unwrap_or_else(|| panic!("{error}")).to_owned()
    };
    let block = |length: u32, trailer: u32| body.clone().u32(4).u32(length).u32(0).u32(trailer).octets;
    assert_eq!(after(&block(16, 20)), "the length at the end of the block is not that at its start");
    for length in [0, 8, 11, 13, 17, MAX_RECORD as u32 + 4, u32::MAX] {
        let reason = "octets, where a multiple of 4 from 12 to 16842752 is possible";
        assert_eq!(after(&block(length, length)), format!("a block of {length} {reason}"));
    }
    assert_eq!(after(&body.clone().u32(1).u32(16).u32(0).u32(16).octets), "an interface that is malformed");
    let option = body.clone().u16(1).u16(0).u32(0).u16(9).u16(77).u32(0);
    assert_eq!(after(&body.clone().block(1, option).octets), "an interface that is malformed");
    assert_eq!(after(&body.clone().u32(0x0a0d_0d0a).u32(28).octets), "a section header without its byte order mark");
    let version = |major, minor| {
        let section = body.clone().u32(0x1a2b_3c4d).u16(major).u16(minor).u64(u64::MAX);
        body.clone().block(0x0a0d_0d0a, section).octets
    };
    assert_eq!(after(&version(2, 0)), "pcapng version 2.0 is not read, only 1.0");
    assert_eq!(after(&version(1, 1)), "pcapng version 1.1 is not read, only 1.0");
    assert_eq!(error(&version(2, 0)), "malformed at octet 0: pcapng version 2.0 is not read, only 1.0");
    assert_eq!(read(&version(1, 2)), All::default(), "the same as 1.0, and a file of no packets");
    let cut = body.clone().block(0x0a0d_0d0a, body.clone().u32(0x1a2b_3c4d));
    assert_eq!(after(&cut.octets), "a section header that is cut short");
}

#[test]
fn pcapng_that_breaks_off_says_where() {
    let file = File::section(Big);
    let body = file.body();
    let file = file.interface(1, 0, &body).enhanced(0, 1, b"a", 1).octets;
    for length in 4..28 {
        let expected = format!("malformed at octet 0: file header cut short after {length} octets");
        assert_eq!(error(&file[..length]), expected);
    }
    for length in 28..file.len() {
        let expected = [28, 48].contains(&length);
        let begin = if length < 48 { 28 } else { 48 };
        assert_eq!(read(&file[..length]), All { cut: (!expected).then_some(begin), ..All::default() });
    }
    assert_eq!(read(&file).frames.len(), 1);
}

/// Many frames of several lengths, in either format.
fn sample(format: CaptureFormat) -> Vec<u8> {
    let payload = |index: u32| vec![index as u8; (index as usize * 37) % 1500];
    let mut file = match format {
        CaptureFormat::Pcap => File::pcap(Little, 0xa1b2_c3d4, (2, 4), 1),
        CaptureFormat::Pcapng => File::section(Big).interface(1, 0, &File::new(Big)),
    };
    for index in 0..400 {
        file = match format {
            CaptureFormat::Pcap => file.record(index, 5, &payload(index), 1500),
            CaptureFormat::Pcapng => file.enhanced(0, u64::from(index), &payload(index), 1500),
        };
    }
    file.octets
}

#[test]
fn compression_is_told_by_content_and_taken_off_twice() {
    for format in [CaptureFormat::Pcap, CaptureFormat::Pcapng] {
        let plain = sample(format);
        let expected = read(&plain);
        assert_eq!((expected.frames.len(), &expected.error, expected.cut), (400, &None, None));
        let (a, b) = plain.split_at(1000);
        let members = [gzip(a), gzip(b)].concat();
        let skippable = [b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec(), zstd(a), zstd(b)].concat();
        for wrapped in [gzip(&plain), zstd(&plain), members, skippable, gzip(&zstd(&plain)), zstd(&gzip(&gzip(b"")))] {
            if wrapped.len() > 100 {
                assert_eq!(read(&wrapped), expected);
            } else {
                assert_eq!(error(&wrapped), "not a capture or flow log: compressed more than twice");
            }
        }
    }
}

#[test]
fn compressed_captures_that_are_damaged_give_what_comes_before() {
    let plain = sample(CaptureFormat::Pcap);
    for whole in [gzip(&plain), zstd(&plain)] {
        let all = read(&whole[..whole.len() - 5]);
        let error = all.error.unwrap();
        assert!(error.contains("data breaks off or is damaged after"), "{error}");
    }
    let mut broken = gzip(&plain);
    *broken.last_mut().unwrap() ^= 1;
    let all = read(&broken);
    assert_eq!(all.frames, read(&plain).frames);
    let reason = format!("the gzip data breaks off or is damaged after {} octets of content: ", plain.len());
    assert!(all.error.unwrap().starts_with(&reason));
}

#[test]
fn compressed_content_has_a_limit_that_is_named() {
    let limited = |content: &[u8], limit: u64| {
        let mut input = unwrap(Box::new(Cursor::new(content.to_vec())), limit).ok().unwrap();
        let mut out = Vec::new();
        let result = input.reader.read_to_end(&mut out);
        (out.len(), result.err().map(|error| SourceError::reading(out.len() as u64, error)))
    };
    let zeros = vec![0; 100_000];
    for bomb in [gzip(&zeros), zstd(&zeros), gzip(&gzip(&zeros)), gzip(&zstd(&zeros))] {
        assert!(matches!(limited(&bomb, 100_000), (100_000, None)), "exactly the limit is allowed");
        let (read, error) = limited(&bomb, 99_999);
        let words = with_causes(&error.unwrap());
        assert_eq!(words, "the content grows beyond the limit of 99999 octets when it is decompressed");
        assert_eq!(read, 99_999);
    }
    assert!(matches!(limited(&zeros, 10), (100_000, None)), "what is not compressed has no limit");
    let bomb = gzip(&File::pcap(Little, 0xa1b2_c3d4, (2, 4), 1).raw(&vec![0; 3 << 20]).octets);
    let all = read(&bomb);
    assert_eq!(all.frames.len(), ((1 << 20) - 24) / 16, "all that lies within the limit");
    assert!(all.error.unwrap().contains("limit of 1048576 octets"));
}

/// Gives a few octets at a time, with interruptions.
struct Trickle {
    content: Cursor<Vec<u8>>,
    step: usize,
    interrupt: bool,
}

impl Read for Trickle {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.interrupt = !self.interrupt;
        if self.interrupt {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let most = self.step.min(out.len());
        self.content.read(&mut out[..most])
    }
}

fn trickle(content: Vec<u8>, step: usize) -> Trickle {
    Trickle { content: Cursor::new(content), step, interrupt: false }
}

#[test]
fn a_reader_that_fails_is_named_with_the_offset() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(5))
        }
    }
    let plain = sample(CaptureFormat::Pcap);
    let all = read_from(Cursor::new(plain[..2000].to_vec()).chain(Failing));
    assert!(!all.frames.is_empty());
    assert!(all.error.unwrap().starts_with("reading failed at octet 2000: "), "not the end of the file");
    let all = read_from(Cursor::new(gzip(&plain)[..200].to_vec()).chain(Failing));
    assert!(all.error.unwrap().starts_with("reading failed at octet "), "and not damage");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn how_octets_arrive_does_not_matter(
        pcapng: bool, cut in 0_usize..400_000, flips in prop::collection::vec((0_usize..400_000, any::<u8>()), 0..3),
        step in prop::sample::select(vec![1_usize, 7, 4096]),
    ) {
        let mut file = sample(if pcapng { CaptureFormat::Pcapng } else { CaptureFormat::Pcap });
        for (at, octet) in flips {
            if let Some(place) = file.get_mut(at) {
                *place = octet;
            }
        }
        file.truncate(cut.max(4));
        let at_once = read(&file);
        prop_assert_eq!(read_from(trickle(file, step)), at_once);
    }

    #[test]
    fn anything_after_a_magic_is_survived(
        magic in prop::sample::select(vec![
            vec![0xd4_u8, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0], vec![0xa1, 0xb2, 0x3c, 0x4d, 0, 2, 0, 4],
            vec![0x34, 0xcd, 0xb2, 0xa1, 2, 0, 2, 0], vec![0x0a, 0x0d, 0x0d, 0x0a],
            File::section(Little).octets, File::section(Big).interface(1, 0, &File::new(Big)).octets,
            vec![0x1f, 0x8b, 8], vec![0x28, 0xb5, 0x2f, 0xfd],
        ]),
        // Small numbers, so that lengths and block types are often plausible.
        rest in prop::collection::vec(prop_oneof![Just(0_u8), 0_u8..8, prop::sample::select(vec![12_u8, 16, 32, 255]), any::<u8>()], 0..600),
    ) {
        let file = [magic, rest].concat();
        let all = read(&file);
        let octets: usize = all.frames.iter().map(|frame| frame.octets.len()).sum();
        prop_assert!(octets <= file.len() || file[..2] == [0x1f, 0x8b] || file[..2] == [0x28, 0xb5]);
    }
}
