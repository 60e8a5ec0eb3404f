//! Captures as they are written by hand: fields in the order of the drafts.

use std::io::Write;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    Little,
    Big,
}

/// A file as it is written.
#[derive(Clone)]
pub(crate) struct File {
    order: Order,
    pub(crate) octets: Vec<u8>,
}

impl File {
    pub(crate) fn new(order: Order) -> Self {
        Self { order, octets: Vec::new() }
    }

    pub(crate) fn u16(mut self, value: u16) -> Self {
        match self.order {
            Order::Little => self.octets.extend(value.to_le_bytes()),
            Order::Big => self.octets.extend(value.to_be_bytes()),
        }
        self
    }

    pub(crate) fn u32(mut self, value: u32) -> Self {
        match self.order {
            Order::Little => self.octets.extend(value.to_le_bytes()),
            Order::Big => self.octets.extend(value.to_be_bytes()),
        }
        self
    }

    pub(crate) fn u64(self, value: u64) -> Self {
        let (high, low) = ((value >> 32) as u32, value as u32);
        match self.order {
            Order::Little => self.u32(low).u32(high),
            Order::Big => self.u32(high).u32(low),
        }
    }

    pub(crate) fn raw(mut self, octets: &[u8]) -> Self {
        self.octets.extend(octets);
        self
    }

    /// To a multiple of four.
    pub(crate) fn pad(mut self) -> Self {
        self.octets.resize(self.octets.len().next_multiple_of(4), 0);
        self
    }

    pub(crate) fn pcap(order: Order, magic: u32, version: (u16, u16), network: u32) -> Self {
        Self::new(order).u32(magic).u16(version.0).u16(version.1).u32(0).u32(0).u32(65535).u32(network)
    }

    pub(crate) fn record(self, seconds: u32, fraction: u32, octets: &[u8], original: u32) -> Self {
        self.u32(seconds).u32(fraction).u32(octets.len() as u32).u32(original).raw(octets)
    }

    pub(crate) fn block(self, kind: u32, body: Self) -> Self {
        let body = body.pad();
        let length = body.octets.len() as u32 + 12;
        self.u32(kind).u32(length).raw(&body.octets).u32(length)
    }

    pub(crate) fn body(&self) -> Self {
        Self::new(self.order)
    }

    pub(crate) fn section(order: Order) -> Self {
        Self::new(order).more_section()
    }

    pub(crate) fn more_section(self) -> Self {
        let body = self.body().u32(0x1a2b_3c4d).u16(1).u16(0).u64(u64::MAX);
        self.block(0x0a0d_0d0a, body)
    }

    pub(crate) fn option(self, code: u16, value: &[u8]) -> Self {
        self.u16(code).u16(value.len() as u16).raw(value).pad()
    }

    pub(crate) fn interface(self, link: u16, snaplen: u32, options: &Self) -> Self {
        let body = self.body().u16(link).u16(0).u32(snaplen).raw(&options.octets);
        self.block(1, body)
    }

    pub(crate) fn enhanced(self, interface: u32, time: u64, octets: &[u8], original: u32) -> Self {
        let body = self.body().u32(interface).u32((time >> 32) as u32).u32(time as u32);
        let body = body.u32(octets.len() as u32).u32(original).raw(octets);
        self.block(6, body)
    }
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(content: &[u8]) -> Vec<u8> {
    zstd::encode_all(content, 1).unwrap()
}
