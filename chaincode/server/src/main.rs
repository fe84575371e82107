//! The chaincode's program: reads its environment, serves until it is told to stop.

use std::process::ExitCode;
use std::sync::Arc;

use semblance_chaincode::settings::{Environment, Settings};
use semblance_chaincode::system::SystemClock;
use semblance_chaincode::{OneContract, Running, Server, health};
use semblance_contract::SemblanceContract;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Wrong settings; what failed later is 1.
const USAGE: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let settings = match Settings::read(&Environment::new(std::env::vars())) {
        Ok(settings) => settings,
        Err(error) => {
            complain(&error);
            return ExitCode::from(USAGE);
        }
    };
    log(settings.json);
    match serve(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn serve(settings: Settings) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    if settings.tls.is_none() {
        tracing::warn!("TLS is switched off: whoever reaches this address can pass for the peer");
    }
    let contracts = Arc::new(OneContract(Arc::new(SemblanceContract)));
    let (organisation, clock) = (settings.organisation, Arc::new(SystemClock));
    let server = Server::new(&settings.package_id, organisation.clone(), contracts, clock, settings.tls);
    let mut running = server.start(settings.address).await?;
    let health = match settings.health {
        Some(address) => Some(
            TcpListener::bind(address)
                .await
                .map_err(|error| anyhow::anyhow!("CHAINCODE_HEALTH_ADDRESS: cannot listen at {address}: {error}"))?,
        ),
        None => None,
    };
    tracing::info!(address = %running.address(), %organisation, "waiting for the peer");
    let stop = CancellationToken::new();
    let serving_health = health.map(|listener| {
        let (metrics, stop) = (running.metrics(), stop.clone());
        tokio::spawn(async move { health::serve(listener, metrics, stop).await })
    });
    let ended = tokio::select! {
        failure = running.failed() => Err(anyhow::anyhow!(failure)),
        _ = terminate.recv() => finish(running).await,
        _ = tokio::signal::ctrl_c() => finish(running).await,
    };
    stop.cancel();
    if let Some(task) = serving_health {
        task.await??;
    }
    ended
}

async fn finish(running: Running) -> anyhow::Result<()> {
    tracing::info!("stopping: what is under way is finished");
    anyhow::ensure!(running.stop().await, "transactions were still under way when the time to stop was over");
    Ok(())
}

fn log(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json {
        builder.json().init()
    } else {
        builder.init()
    }
    // A panic's text may quote what the contract was reading: where it happened is enough.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked");
    }));
}

#[expect(clippy::print_stderr, reason = "there may be no log yet")]
fn complain(error: &dyn std::fmt::Display) {
    eprintln!("semblance-chaincode: {error}");
}
