//! Listening: accepting up to a limit, dividing connections among threads, leaving clients that are too slow, and stopping
//! when everything accepted has its answer. actix-web's own server cannot: it times a connection's first head alone.

mod connection;

use std::fmt::Debug;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix_http::body::MessageBody;
use actix_http::{HttpService, KeepAlive, Protocol, Request, Response};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, map_config};
use actix_web::dev::AppConfig;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

pub use connection::Connection;
use connection::{LINGER, Watched};

use crate::limits::Limits;

/// The system's queue of connections that nobody has accepted yet.
const BACKLOG: i32 = 4096;
/// The system keeps so much of what a client has not read, and of what nobody has read of its.
const BUFFER: usize = 256 * 1024;
const BLOCKING_THREADS: usize = 512;
/// Files that are no connections: database, log, threads.
const OTHER_FILES: u64 = 200;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug)]
enum Stage {
    Open,
    Closing,
    Closed,
}

pub struct Server {
    listener: TcpListener,
    hall: Hall,
    stage: watch::Receiver<Stage>,
    handle: Handle,
}

/// Where connections are taken in and divided.
struct Hall {
    limits: Limits,
    workers: Vec<Worker>,
    room: Arc<Semaphore>,
}

/// Stops a server.
#[derive(Clone)]
pub struct Handle {
    stage: Arc<watch::Sender<Stage>>,
    closing: Arc<AtomicBool>,
}

struct Worker {
    arrivals: mpsc::UnboundedSender<Arrival>,
    /// One more for each of its connections.
    load: Arc<()>,
    thread: JoinHandle<()>,
}

struct Arrival {
    io: TcpStream,
    peer: SocketAddr,
    room: OwnedSemaphorePermit,
    load: Arc<()>,
}

/// Lets this process open as many files as the system allows, and returns for how many connections that is enough.
pub fn room_for_connections(wanted: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let most = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let Some(most) = most else { return wanted };
    let enough = usize::try_from(most.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX).max(1);
    if enough < wanted {
        tracing::warn!(wanted, most = enough, "fewer connections than max_connections: the limit of open files is low");
    }
    enough.min(wanted)
}

impl Server {
    /// Starts the threads that answer, one for each core; nothing is accepted before [`Server::run`].
    pub fn new<F, I, S, B>(listener: TcpListener, limits: Limits, app: F) -> io::Result<Server>
    where
        F: Fn() -> I + Clone + Send + 'static,
        I: IntoServiceFactory<S, Request>,
        S: ServiceFactory<Request, Config = AppConfig> + 'static,
        S::Error: Into<Response<actix_http::body::BoxBody>> + 'static,
        S::InitError: Debug,
        S::Response: Into<Response<B>> + 'static,
        <S::Service as Service<Request>>::Future: 'static,
        B: MessageBody + 'static,
    {
        listener.set_nonblocking(true)?;
        let socket = socket2::SockRef::from(&listener);
        socket.listen(BACKLOG)?;
        // Accepted connections have these from their listener.
        socket.set_send_buffer_size(BUFFER)?;
        socket.set_recv_buffer_size(BUFFER)?;
        let (stage, seen) = watch::channel(Stage::Open);
        let handle = Handle { stage: Arc::new(stage), closing: Arc::default() };
        let count = std::thread::available_parallelism().map_or(2, usize::from);
        let blocking = (BLOCKING_THREADS / count).max(8);
        let workers = (0..count).map(|number| {
            let (arrivals, queue) = mpsc::unbounded_channel();
            let (app, closing) = (app.clone(), handle.closing.clone());
            let runtime = move || {
                tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .max_blocking_threads(blocking)
                    .build_local(Default::default())
            };
            let name = format!("answers {number}");
            let thread = std::thread::Builder::new().name(name).spawn(move || match runtime() {
                Ok(runtime) => runtime.block_on(work(app, queue, limits, closing)),
                Err(cause) => tracing::error!(%cause, "a thread that answers cannot start"),
            })?;
            Ok(Worker { arrivals, load: Arc::default(), thread })
        });
        let workers = workers.collect::<io::Result<Vec<Worker>>>()?;
        let room = Arc::new(Semaphore::new(limits.connections));
        Ok(Server { listener, hall: Hall { limits, workers, room }, stage: seen, handle })
    }

    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Accepts until it is told to stop, and returns when all threads have ended.
    pub async fn run(self) -> io::Result<()> {
        let Server { listener, hall, mut stage, .. } = self;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tokio::select! {
            () = hall.accept(&listener) => {}
            _ = stage.wait_for(|stage| *stage >= Stage::Closing) => {}
        }
        tokio::select! {
            () = hall.close(listener) => {}
            _ = stage.wait_for(|stage| *stage == Stage::Closed) => {}
        }
        let (queues, threads): (Vec<_>, Vec<_>) =
            hall.workers.into_iter().map(|worker| (worker.arrivals, worker.thread)).unzip();
        drop(queues);
        let ended = tokio::task::spawn_blocking(|| threads.into_iter().for_each(|thread| drop(thread.join())));
        ended.await.map_err(io::Error::other)
    }
}

impl Hall {
    async fn accept(&self, listener: &tokio::net::TcpListener) {
        loop {
            let Ok(room) = self.room.clone().acquire_owned().await else { return };
            let accepted = listener.accept().await.and_then(|(io, peer)| Ok((io.into_std()?, peer)));
            match accepted {
                Ok((io, peer)) => self.hand_over(io, peer, room),
                Err(cause) if is_of_one_connection(&cause) => {}
                Err(cause) => {
                    tracing::warn!(%cause, "a connection cannot be accepted");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
    }

    /// To the thread that has the fewest.
    fn hand_over(&self, io: TcpStream, peer: SocketAddr, room: OwnedSemaphorePermit) {
        let Some(worker) = self.workers.iter().min_by_key(|worker| Arc::strong_count(&worker.load)) else { return };
        let arrival = Arrival { io, peer, room, load: worker.load.clone() };
        // One that has ended takes its connections with it.
        let _ = worker.arrivals.send(arrival);
    }

    /// Listens a little longer, so that who asks whether this process is ready can hear that it is not; takes in who has
    /// connected by then, and waits for their answers.
    async fn close(&self, listener: tokio::net::TcpListener) {
        let _ = tokio::time::timeout(self.limits.farewell, self.accept(&listener)).await;
        if let Ok(listener) = listener.into_std() {
            while let (Ok(room), Ok((io, peer))) = (self.room.clone().try_acquire_owned(), listener.accept()) {
                self.hand_over(io, peer, room);
            }
        }
        let all = u32::try_from(self.limits.connections).unwrap_or(u32::MAX);
        let _ = tokio::time::timeout(self.limits.patience, self.room.acquire_many(all)).await;
    }
}

impl Handle {
    /// Orderly, everything accepted is answered first; else all connections are dropped. Returns when the server has ended.
    pub fn stop(&self, orderly: bool) -> impl Future<Output = ()> + Send + use<> {
        self.closing.store(true, Ordering::Relaxed);
        self.stage.send_replace(if orderly { Stage::Closing } else { Stage::Closed });
        let stage = self.stage.clone();
        async move { stage.closed().await }
    }

    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }
}

fn is_of_one_connection(cause: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(cause.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// One thread: serves what arrives until nothing more can.
async fn work<F, I, S, B>(app: F, mut queue: mpsc::UnboundedReceiver<Arrival>, limits: Limits, closing: Arc<AtomicBool>)
where
    F: Fn() -> I,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Response<actix_http::body::BoxBody>> + 'static,
    S::InitError: Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
{
    let http = HttpService::build()
        // Ours are the clocks.
        .keep_alive(KeepAlive::Os)
        .client_request_timeout(Duration::ZERO)
        .client_disconnect_timeout(LINGER)
        .on_connect_ext(|io: &Watched, of_connection| {
            of_connection.insert(io.connection.clone());
        })
        .finish(map_config(app().into_factory(), |()| AppConfig::default()));
    let Ok(service) = http.new_service(()).await else {
        tracing::error!("the program cannot be put together");
        return;
    };
    let service = Rc::new(service);
    while let Some(arrival) = queue.recv().await {
        let (service, closing) = (service.clone(), closing.clone());
        tokio::task::spawn_local(async move {
            // The whole of it: a block takes only what it names, and what counts the connection would be dropped before its end.
            let Arrival { io, peer, room, load } = arrival;
            let _counted = (room, load);
            let connection = Connection::new(limits, closing);
            // A page's last packet would else wait 40 ms for the browser's delayed acknowledgement (RFC 1122 section 4.2.3.2).
            let io = io.set_nonblocking(true).and_then(|()| io.set_nodelay(true)).map(|()| io);
            let Ok(io) = io.and_then(tokio::net::TcpStream::from_std) else { return };
            let served = service.call((Watched::new(io, connection.clone()), Protocol::Http1, Some(peer)));
            attend(served, &connection, limits.look).await;
        });
    }
}

/// Serves a connection until it ends or is over.
async fn attend(served: impl Future, connection: &Connection, every: Duration) {
    tokio::pin!(served);
    loop {
        tokio::select! {
            biased;
            _ = &mut served => return,
            () = tokio::time::sleep(every) => {
                if connection.is_over(Instant::now()) {
                    tracing::debug!("a slow client was left");
                    return;
                }
            }
        }
    }
}
