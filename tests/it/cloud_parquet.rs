//! AWS flow logs as Parquet: every compression, from files and streams, and files that lie.

use std::fs::{self, File};
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use landfall::model::{Batch, FlowFlags, FlowRecord, InputCoverage, InputId, Skip};
use landfall::source::{self, Options, Progress, SourceError};
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

const SCHEMA: &str = "message flow_log { optional int32 version; optional binary dstaddr (STRING); optional binary srcaddr (STRING); \
                      optional int64 bytes; optional int64 packets; optional int64 start; optional int64 end; optional int32 srcport; \
                      optional int32 dstport; optional int32 protocol; optional binary action (STRING); \
                      optional binary log_status (STRING); optional binary shoe_size (STRING); }";

type Row = [Option<&'static str>; 13];

const ROWS: [Row; 4] = [
    [
        Some("5"),
        Some("198.51.100.7"),
        Some("10.0.0.1"),
        Some("1500"),
        Some("3"),
        Some("1700000000"),
        Some("1700000060"),
        Some("40000"),
        Some("443"),
        Some("6"),
        Some("ACCEPT"),
        Some("OK"),
        Some("x"),
    ],
    [
        Some("5"),
        None,
        None,
        None,
        None,
        Some("1700000000"),
        Some("1700000060"),
        None,
        None,
        None,
        None,
        Some("SKIPDATA"),
        None,
    ],
    [
        Some("5"),
        Some("10.0.0.1"),
        Some("2001:db8::7 x"),
        Some("1"),
        Some("1"),
        None,
        None,
        None,
        None,
        Some("6"),
        Some("ACCEPT"),
        Some("OK"),
        None,
    ],
    [
        Some("5"),
        Some("2001:db8::1"),
        Some("2001:db8::7"),
        Some("60"),
        Some("1"),
        Some("1700000001"),
        Some("1700000001"),
        None,
        None,
        Some("58"),
        Some("REJECT"),
        Some("OK"),
        None,
    ],
];

/// Writes rows with a Parquet writer: what a column holds is known from its text.
fn written(schema: &str, rows: &[Vec<Option<String>>], compression: Compression, version: WriterVersion) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder().set_compression(compression).set_writer_version(version).build();
    let mut octets = Vec::new();
    let types: Vec<_> = schema.get_fields().iter().map(|field| field.get_physical_type()).collect();
    let mut file = SerializedFileWriter::new(&mut octets, schema, Arc::new(properties)).unwrap();
    let mut group = file.next_row_group().unwrap();
    let mut place = 0;
    while let Some(mut column) = group.next_column().unwrap() {
        let cells: Vec<_> = rows.iter().map(|row| row[place].clone()).collect();
        let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
        let texts: Vec<String> = cells.into_iter().flatten().collect();
        match types[place] {
            parquet::basic::Type::INT32 => {
                let values: Vec<i32> = texts.iter().map(|text| text.parse().unwrap()).collect();
                column.typed::<Int32Type>().write_batch(&values, Some(&levels), None).unwrap();
            }
            parquet::basic::Type::INT64 => {
                let values: Vec<i64> = texts.iter().map(|text| text.parse().unwrap()).collect();
                column.typed::<Int64Type>().write_batch(&values, Some(&levels), None).unwrap();
            }
            _ => {
                let values: Vec<ByteArray> = texts.iter().map(|text| text.as_str().into()).collect();
                column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).unwrap();
            }
        }
        column.close().unwrap();
        place += 1;
    }
    group.close().unwrap();
    file.close().unwrap();
    octets
}

fn rows(count: usize) -> Vec<Vec<Option<String>>> {
    let owned = |row: &Row| row.iter().map(|cell| cell.map(str::to_owned)).collect();
    ROWS.iter().cycle().take(count).map(owned).collect()
}

/// A file of so many rows, no two of which hold the same octets.
pub(crate) fn some(count: usize) -> Vec<u8> {
    let mut rows = rows(count);
    for (number, row) in rows.iter_mut().enumerate() {
        row[3] = Some((number + 100).to_string());
    }
    written(SCHEMA, &rows, Compression::UNCOMPRESSED, WriterVersion::PARQUET_1_0)
}

fn drained(mut source: Box<dyn source::Source>) -> (Vec<FlowRecord>, InputCoverage, Option<SourceError>) {
    let mut batch = Batch::default();
    let error = loop {
        match source.read(&mut batch) {
            Ok(Progress::End) => break None,
            Ok(_) => {}
            Err(error) => break Some(error),
        }
    };
    assert_eq!(source.read(&mut batch).ok(), Some(Progress::End), "the end stays the end");
    let coverage = source.coverage();
    assert_eq!(coverage.used.count, batch.records.len() as u64);
    assert_eq!(coverage.error.is_some(), error.is_some());
    (batch.records, coverage, error)
}

fn from_stream(octets: Vec<u8>) -> Result<Box<dyn source::Source>, SourceError> {
    source::open(InputId(0), "log", Box::new(Cursor::new(octets)), &Options::default())
}

fn from_file(path: &Path) -> Result<Box<dyn source::Source>, SourceError> {
    let file = File::open(path).unwrap();
    let reader: Box<dyn Read + Send> = Box::new(file.try_clone().unwrap());
    source::open_file(InputId(0), "log", file, reader, &Options::default())
}

fn corpus() -> Option<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus/cloud/aws");
    let path = Path::new(folder).join("vpcflow_v5_custom-order_snappy.parquet");
    if !path.exists() {
        println!("skipped: no corpus in {folder}");
        return None;
    }
    Some(path)
}

#[test]
fn every_compression_is_read() {
    let compressions = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
    ];
    for compression in compressions {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            // More than are read at once.
            let octets = written(SCHEMA, &rows(10_000), compression, version);
            let (records, coverage, error) = drained(from_stream(octets).unwrap());
            assert!(error.is_none(), "{compression:?}: {error:?}");
            assert_eq!(records.len(), 5_000, "{compression:?}");
            let (first, last) = (&records[0], &records[4_999]);
            assert_eq!((first.src.to_string(), first.dst.to_string()), ("10.0.0.1".into(), "198.51.100.7".into()));
            assert_eq!(
                (first.sport, first.dport, first.forward.octets, first.forward.packets),
                (40_000, 443, 1_500, 3)
            );
            assert_eq!((last.src.to_string(), last.provenance.position()), ("2001:db8::7".into(), 10_000));
            assert!(last.flags.has(FlowFlags::REJECTED));
            let skips: Vec<_> =
                coverage.skipped.iter().map(|(skip, met)| (*skip, met.total.count, met.positions.clone())).collect();
            assert_eq!(skips, [(Skip::MalformedLine, 2_500, vec![3, 7, 11]), (Skip::SkipData, 2_500, vec![2, 6, 10])]);
            assert_eq!(coverage.notes.iter().map(String::as_str).collect::<Vec<_>>(), ["field `shoe-size`"]);
        }
    }
}

#[test]
fn files_streams_and_compressed_streams_are_the_same() {
    let Some(path) = corpus() else { return };
    let octets = fs::read(&path).unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&octets).unwrap();
    let (of_file, coverage, _) = drained(from_file(&path).unwrap());
    assert_eq!(of_file.len(), 2);
    assert_eq!(coverage.kind, "aws-vpc-flow-logs-parquet");
    assert_eq!(drained(from_stream(octets).unwrap()).0, of_file);
    let (of_packed, coverage, _) = drained(from_stream(packed.finish().unwrap()).unwrap());
    assert_eq!((of_packed, coverage.kind.as_str()), (of_file, "aws-vpc-flow-logs-parquet in gzip"));
}

#[test]
fn other_tables_are_refused() {
    let other = written(
        "message m { optional int32 version; }",
        &[vec![Some("1".into())]],
        Compression::SNAPPY,
        WriterVersion::PARQUET_1_0,
    );
    assert!(matches!(
        from_stream(other).err(),
        Some(SourceError::NotRecognised { looks_like: "Parquet file of other columns", .. })
    ));
    let schema = "message m { optional binary srcaddr (STRING); optional binary dstaddr (STRING); optional binary protocol (STRING); \
                  repeated binary action (STRING); }";
    let octets = written(schema, &[], Compression::SNAPPY, WriterVersion::PARQUET_1_0);
    let error = from_stream(octets).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("column `action` is neither text nor a whole number"), "{error}");
    for text in ["PAR1", "PAR1PAR1", "PAR1\0\0\0\0\0\0\0\0PAR1", "PAR1\u{7f}\u{7f}\u{7f}\u{7f}PAR1"] {
        assert!(matches!(from_stream(text.into()).err(), Some(SourceError::Format { .. })), "{text:?}");
    }
}

/// A page that grows to more than a file may ask for: 100 MB of one letter, in a few hundred kilobytes.
#[test]
fn pages_cannot_grow_without_bound() {
    let mut row = rows(1);
    row[0][2] = Some("x".repeat(100_000_000));
    for compression in
        [Compression::SNAPPY, Compression::GZIP(GzipLevel::default()), Compression::ZSTD(ZstdLevel::default())]
    {
        let octets = written(SCHEMA, &row, compression, WriterVersion::PARQUET_1_0);
        let (records, _, error) = drained(from_stream(octets).unwrap());
        assert!(records.is_empty());
        let error = error.unwrap().to_string();
        assert!(error.contains("larger than the limit"), "{compression:?}: {error}");
    }
}

/// Every octet changed, and the end cut off: no panic gets out, and nothing is read that could not be.
#[test]
fn files_that_lie_are_errors() {
    let octets = written(SCHEMA, &rows(4), Compression::SNAPPY, WriterVersion::PARQUET_1_0);
    let mut outcomes = [0; 3];
    for place in 0..octets.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut lie = octets.clone();
            lie[place] ^= change;
            match from_stream(lie) {
                Err(_) => outcomes[0] += 1,
                Ok(source) => match drained(source) {
                    (records, _, None) => {
                        assert!(records.len() <= 4);
                        outcomes[1] += 1;
                    }
                    (_, _, Some(_)) => outcomes[2] += 1,
                },
            }
        }
        assert!(from_stream(octets[..place].to_vec()).is_err());
    }
    assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
}
