//! One connection: what it waits for and since when, and the stream that tells it. Nothing here looks into HTTP: the stream
//! counts bytes, and the middleware says when a head was whole and when an answer was made.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures_core::Stream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf, Take};
use tokio::net::TcpStream;

use crate::limits::Limits;

/// Bytes that are read at once. Requests that come in one read are all taken apart before the first is answered: about 1.5 kB
/// of memory for 18 bytes.
const HEAD_READ: u64 = 4 * 1024;
const BODY_READ: u64 = 32 * 1024;
/// For what is left of a body that nobody wanted.
pub const LINGER: Duration = Duration::from_secs(2);
/// While closing, a connection on which nothing came for so long is ended: its client has sent nothing on it.
const PAUSE: Duration = Duration::from_millis(300);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nobody has a request: for a head, or for what is left of a body that no handler wanted.
    Head,
    /// A handler has one.
    Answering,
    /// A handler has one, and waits for its body.
    Body,
}

/// Shared between a connection's stream, the middleware and the clock.
pub struct Connection {
    limits: Limits,
    closing: Arc<AtomicBool>,
    phase: Cell<Phase>,
    /// Since when the client is waited for.
    since: Cell<Instant>,
    /// Bytes that came since. None, after an answer, is an idle connection.
    came: Cell<u64>,
    is_first: Cell<bool>,
    body_begun: Cell<bool>,
    /// A body that no handler read to its end: what is left of it is awaited no longer than [`LINGER`].
    is_left: Cell<bool>,
    /// Whether the last bytes that came ended a head: then nothing of the next one is here yet.
    at_end: Cell<bool>,
    /// The stream gives one read for each time that HTTP looks, so that what came is answered before more is taken in.
    handed: Cell<bool>,
    /// An answer was made that the system has not wholly taken yet.
    unsent: Cell<bool>,
    wrote: Cell<bool>,
    /// Since when the client takes nothing, and bytes that it took nevertheless.
    blocked: Cell<Option<Instant>>,
    taken: Cell<u64>,
    /// Who was kept from reading, or from answering.
    held: RefCell<Option<Waker>>,
}

impl Connection {
    pub fn new(limits: Limits, closing: Arc<AtomicBool>) -> Rc<Connection> {
        Rc::new(Connection {
            limits,
            closing,
            phase: Cell::new(Phase::Head),
            since: Cell::new(Instant::now()),
            came: Cell::new(0),
            is_first: Cell::new(true),
            body_begun: Cell::new(false),
            is_left: Cell::new(false),
            at_end: Cell::new(false),
            handed: Cell::new(false),
            unsent: Cell::new(false),
            wrote: Cell::new(false),
            blocked: Cell::new(None),
            taken: Cell::new(0),
            held: RefCell::new(None),
        })
    }

    /// Whether the client took too long, or is to be left because the program stops.
    pub fn is_over(&self, now: Instant) -> bool {
        let waited = |since: Instant| now.saturating_duration_since(since);
        let limits = &self.limits;
        if let Some(blocked) = self.blocked.get() {
            return waited(blocked) > limits.write + limits.earned(self.taken.get());
        }
        if self.unsent.get() {
            return false;
        }
        let waited = waited(self.since.get());
        let is_idle = self.came.get() == 0;
        match self.phase.get() {
            Phase::Head if is_idle && self.is_closing() => waited > PAUSE,
            Phase::Head if self.is_left.get() => waited > LINGER,
            Phase::Head if is_idle && !self.is_first.get() => waited > limits.idle,
            Phase::Head => waited > limits.head,
            Phase::Body => waited > limits.body + limits.earned(self.came.get()),
            Phase::Answering => false,
        }
    }

    /// A head is whole. The answer is whether it is its [`Connection::turn`] already.
    pub fn begin(self: &Rc<Connection>, payload: &mut Payload) -> bool {
        self.phase.set(Phase::Answering);
        self.is_first.set(false);
        self.body_begun.set(false);
        self.is_left.set(false);
        if !matches!(payload, Payload::None) {
            let body = Body { connection: self.clone(), inner: payload.take(), is_whole: false };
            *payload = Payload::Stream { payload: Box::pin(body) };
        }
        !self.unsent.get()
    }

    /// It comes when the client has taken all earlier answers: who pipelines and does not read would else pile them up here.
    pub async fn turn(&self) {
        std::future::poll_fn(|cx| self.unless(self.unsent.get(), cx)).await;
    }

    /// An answer was made; whether the connection is to end with it.
    pub fn answered(&self) -> bool {
        self.phase.set(Phase::Head);
        self.unsent.set(true);
        self.came.set(if self.at_end.get() { 0 } else { 1 });
        self.is_closing()
    }

    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    fn unless(&self, held: bool, cx: &mut Context<'_>) -> Poll<()> {
        if !held {
            return Poll::Ready(());
        }
        *self.held.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }

    fn let_go(&self) {
        if let Some(waker) = self.held.borrow_mut().take() {
            waker.wake();
        }
    }

    fn read(&self, bytes: &[u8]) {
        if self.came.get() == 0 && self.phase.get() == Phase::Head && !self.is_first.get() {
            self.since.set(Instant::now());
        }
        self.came.set(self.came.get() + bytes.len() as u64);
        self.at_end.set(bytes.ends_with(b"\r\n\r\n"));
        self.handed.set(true);
    }

    fn awaits_body(&self, awaits: bool) {
        match (awaits, self.phase.get()) {
            (true, Phase::Answering) => {
                self.phase.set(Phase::Body);
                if !self.body_begun.replace(true) {
                    self.since.set(Instant::now());
                }
                self.let_go();
            }
            (false, Phase::Body) => self.phase.set(Phase::Answering),
            _ => {}
        }
    }

    /// The system has taken everything.
    fn sent(&self) {
        self.unsent.set(false);
        self.blocked.set(None);
        self.since.set(Instant::now());
        self.let_go();
    }
}

/// The body of a request, as a handler waits for it.
struct Body {
    connection: Rc<Connection>,
    inner: Payload,
    is_whole: bool,
}

impl Stream for Body {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = Pin::new(&mut self.inner).poll_next(cx);
        self.connection.awaits_body(next.is_pending());
        self.is_whole |= matches!(next, Poll::Ready(None));
        next
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.connection.awaits_body(false);
        self.connection.is_left.set(!self.is_whole);
    }
}

/// What HTTP reads from and writes to.
pub struct Watched {
    pub connection: Rc<Connection>,
    io: Take<TcpStream>,
}

impl Watched {
    pub fn new(io: TcpStream, connection: Rc<Connection>) -> Watched {
        Watched { connection, io: io.take(0) }
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let connection = &this.connection;
        let phase = connection.phase.get();
        ready!(connection.unless(phase == Phase::Answering || connection.unsent.get(), cx));
        if connection.handed.replace(false) {
            ready!(this.io.get_ref().poll_read_ready(cx))?;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        this.io.set_limit(if phase == Phase::Body { BODY_READ } else { HEAD_READ });
        let before = into.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(cx, into))?;
        let bytes = into.filled().get(before..).unwrap_or_default();
        if !bytes.is_empty() {
            connection.read(bytes);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(self.io.get_mut()).poll_write(cx, bytes);
        let connection = &self.connection;
        match &written {
            Poll::Ready(Ok(bytes)) => {
                connection.wrote.set(true);
                connection.taken.set(connection.taken.get() + *bytes as u64);
            }
            Poll::Pending if connection.blocked.get().is_none() => {
                connection.blocked.set(Some(Instant::now()));
                connection.taken.set(0);
            }
            _ => {}
        }
        written
    }

    /// HTTP flushes when it has nothing left to write.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.connection.wrote.replace(false) {
            self.connection.sent();
        }
        Pin::new(self.io.get_mut()).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.io.get_mut()).poll_shutdown(cx)
    }
}
