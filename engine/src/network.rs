//! The bridge from our threads to the asynchronous world where the network is.

use std::future::Future;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::{Error, Result};

/// Threads that drive requests to the bucket.
const NETWORK_THREADS: usize = 2;

/// Owns the runtime on which all requests to the bucket run.
#[derive(Debug)]
pub(crate) struct Network {
    runtime: Option<Runtime>,
}

impl Network {
    /// Starts the runtime.
    pub(crate) fn start() -> Result<Self> {
        let built = Builder::new_multi_thread()
            .worker_threads(NETWORK_THREADS)
            .thread_name("foldback-network")
            .enable_all()
            .build();
        let runtime = built.map_err(|error| {
            Error::Invalid(format!(
                "the operating system gives no threads for the network: {error}"
            ))
        })?;
        Ok(Self { runtime: Some(runtime) })
    }

    /// Runs a future to its end while this thread blocks. It may be called from any thread, also
    /// from one that drives another runtime.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let task = self.handle().spawn(future);
        match futures::executor::block_on(task) {
            Ok(output) => output,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(error) => panic!("the network runtime ended under a request: {error}"),
            },
        }
    }

    /// The runtime, for tasks that feed this thread while it goes on.
    pub(crate) fn handle(&self) -> &Handle {
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
