//! Lines on their way to standard output.
//!
//! A request appends its line to a buffer and goes on. A thread of its own writes the buffer out, a moment after the
//! first line of each batch: one system call for many lines, and a slow terminal holds nobody up.

use std::{
    io::Write,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::BytesMut;

/// How long lines are gathered.
const GATHER: Duration = Duration::from_millis(20);

/// What is waiting to be written never grows beyond this; lines that find it full are counted and dropped.
const MAX_WAITING: usize = 8 << 20;

/// Gathers lines and writes them.
#[derive(Debug)]
pub struct LineWriter {
    state: Mutex<State>,
    filled: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    waiting: BytesMut,
    /// The thread waits for a first line.
    idle: bool,
    closed: bool,
}

impl LineWriter {
    /// Starts a thread that writes to `out`.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(out: impl Write + Send + 'static) -> std::io::Result<Arc<Self>> {
        let writer = Arc::new(Self { state: Mutex::default(), filled: Condvar::new(), dropped: AtomicU64::new(0) });
        let runner = writer.clone();
        std::thread::Builder::new()
            .name("access-log".to_owned())
            .stack_size(64 << 10)
            .spawn(move || runner.run(out))?;
        Ok(writer)
    }

    /// Appends what `line` writes.
    pub fn write(&self, line: impl FnOnce(&mut BytesMut)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.waiting.len() > MAX_WAITING {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        line(&mut state.waiting);
        if std::mem::take(&mut state.idle) {
            self.filled.notify_one();
        }
    }

    /// Writes out what is waiting, and ends the thread.
    pub fn close(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.closed = true;
        self.filled.notify_all();
        while !state.waiting.is_empty() {
            let waited = self.filled.wait_timeout(state, Duration::from_secs(1));
            let (next, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = next;
            if timeout.timed_out() {
                return;
            }
        }
    }

    fn run(&self, mut out: impl Write) {
        let mut batch = BytesMut::new();
        loop {
            let closed = self.gather(&mut batch);
            // A closed pipe is no reason to stop serving.
            if out.write_all(&batch).and_then(|()| out.flush()).is_err() {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
            batch.clear();
            if closed {
                self.filled.notify_all();
                return;
            }
        }
    }

    /// Waits for lines and takes them; tells whether they are the last.
    fn gather(&self, batch: &mut BytesMut) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.waiting.is_empty() && !state.closed {
            state.idle = true;
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if !state.closed {
            let (next, _) = self.filled.wait_timeout(state, GATHER).unwrap_or_else(PoisonError::into_inner);
            state = next;
        }
        state.idle = false;
        std::mem::swap(batch, &mut state.waiting);
        state.closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_is_written_before_the_end() {
        let out = Shared::default();
        let writer = LineWriter::start(out.clone()).expect("a thread starts");
        for number in 0..1000 {
            writer.write(|line| line.extend_from_slice(format!("{number}\n").as_bytes()));
        }
        writer.close();
        let written = out.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(written.split(|byte| *byte == b'\n').count(), 1001);
    }
}
