//! Writers on SQLite share fsyncs: with an fsync of 2 ms, sixteen writers get at least eight times what one gets.
//!
//! `cargo bench --bench fsync`. The disk is slowed down from outside, by `strace` (which must be installed), so that
//! nothing in the product knows of it: this program runs itself under it.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench, not the product")]

use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use handoff::store::Store;

/// Where the child finds its name: set, it is the one that measures.
const CHILD: &str = "HANDOFF_BENCH_FSYNC";
const DELAY: &str = "--inject=fsync,fdatasync:delay_enter=2000";
const WANTED: f64 = 8.0;

fn main() -> ExitCode {
    if std::env::var_os(CHILD).is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        return runtime.block_on(measure());
    }
    let quiet = ["-f", "--seccomp-bpf", "-qqq", "-o", "/dev/null", "--trace=fsync,fdatasync", DELAY];
    let child = Command::new("strace").args(quiet).arg(std::env::current_exe().unwrap()).env(CHILD, "1").status();
    match child {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            println!("strace cannot be run ({error}): nothing was measured");
            ExitCode::FAILURE
        }
    }
}

async fn measure() -> ExitCode {
    let folder = std::env::temp_dir().join(format!("handoff_bench_{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let store = Arc::new(Store::open(&format!("sqlite:{}", folder.join("bench.db").display()), 4).await.unwrap());
    store.migrate().await.unwrap();
    let one = rate(&store, 1).await;
    let sixteen = rate(&store, 16).await;
    let times = sixteen / one;
    println!("one writer: {one:.0}/s, sixteen: {sixteen:.0}/s, {times:.1} times (wanted: {WANTED})");
    let _ = std::fs::remove_dir_all(&folder);
    if times >= WANTED { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Commits a second that so many writers get, each waiting for its own before the next.
async fn rate(store: &Arc<Store>, writers: usize) -> f64 {
    let (count, begun) = (Arc::new(AtomicUsize::new(0)), Instant::now());
    let work = (0..writers).map(|writer| {
        let (store, count) = (store.clone(), count.clone());
        tokio::spawn(async move {
            while begun.elapsed() < Duration::from_secs(3) {
                let number = count.fetch_add(1, Ordering::SeqCst);
                let mut tx = store.begin().await.unwrap();
                tx.register("bench", &format!("{writers}-{writer}-{number}"), "{}", false).await.unwrap();
                tx.commit().await.unwrap();
            }
        })
    });
    for task in work.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    count.load(Ordering::SeqCst) as f64 / begun.elapsed().as_secs_f64()
}
