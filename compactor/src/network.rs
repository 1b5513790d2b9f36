//! The bridge from our threads to the asynchronous world where the network is.

use std::future::Future;

use tokio::runtime::{Builder, Handle, Runtime};

/// Threads that drive requests to the bucket.
const NETWORK_THREADS: usize = 2;
/// Threads for what blocks: files, where the bucket is a directory, and names of hosts. Each thread
/// more lets the allocator keep more memory to itself.
const BLOCKING_THREADS_MAX: usize = 2;

/// Owns the runtime on which all requests to the bucket run.
#[derive(Debug)]
pub struct Network {
    runtime: Option<Runtime>,
}

impl Network {
    /// Starts the runtime.
    ///
    /// # Errors
    ///
    /// What the operating system says if it gives no threads.
    pub fn start() -> std::io::Result<Self> {
        let built = Builder::new_multi_thread()
            .worker_threads(NETWORK_THREADS)
            .max_blocking_threads(BLOCKING_THREADS_MAX)
            .thread_name("foldback-network")
            .enable_all()
            .build();
        Ok(Self { runtime: Some(built?) })
    }

    /// Runs a future to its end while this thread blocks. It may be called from any thread, also
    /// from one that drives another runtime.
    pub fn run<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        let task = self.handle().spawn(future);
        match crate::wait_for(task) {
            Ok(output) => output,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(error) => panic!("the network runtime ended under a request: {error}"),
            },
        }
    }

    /// The runtime, for tasks that feed this thread while it goes on.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        self.runtime.as_ref().expect("the runtime lives as long as the bridge").handle()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // A runtime may not be dropped where another one runs, unless it is told not to wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
