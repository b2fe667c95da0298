//! What is told of each exchange: one access line, and metrics.

mod access;
mod metrics;
mod writer;

use std::sync::Arc;

use lockgate_layers::record::{Record, Sink};

pub use access::LineFormat;
pub use metrics::Metrics;
pub use writer::LineWriter;

/// Takes closed records.
pub struct Observer {
    /// The metrics.
    pub metrics: Metrics,
    access: Option<Access>,
}

struct Access {
    format: LineFormat,
    writer: Arc<LineWriter>,
}

impl std::fmt::Debug for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Observer")
    }
}

impl Observer {
    /// An observer that writes access lines, if there is a writer for them.
    pub fn new(access: Option<(LineFormat, Arc<LineWriter>)>) -> Self {
        let access = access.map(|(format, writer)| Access { format, writer });
        Self { metrics: Metrics::new(), access }
    }

    /// An exchange has begun.
    pub fn begin(&self, _record: &Record) {
        self.metrics.in_flight.inc();
    }

    /// Exchanges that are under way.
    pub fn in_flight(&self) -> i64 {
        self.metrics.in_flight.get()
    }
}

impl Sink for Observer {
    fn close(&self, record: &Record) {
        let facts = record.note(|facts| facts.clone());
        self.metrics.in_flight.dec();
        self.metrics.count(record, &facts);
        if let Some(access) = &self.access {
            access.writer.write(|line| access::write(access.format, record, &facts, line));
        }
    }
}
