//! A worker: takes batches, runs them and answers, until the queue has ended and nothing waits.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::requests::{Life, Request, When};
use super::{BatchError, Shared, Work};
use crate::lock::enter;

/// Runs batches on this thread until the queue has ended.
pub(super) fn serve<W: Work>(shared: &Shared<W>) {
    let _here = Here(shared);
    while let Some(batch) = next(shared) {
        // What unwinds out of a batch, such as a waker's panic, ends that batch: its drop answers who is left.
        let _ = catch_unwind(AssertUnwindSafe(|| batch.run()));
    }
}

/// Counts a worker; when the last one leaves, nobody is left waiting behind it.
struct Here<'a, W: Work>(&'a Shared<W>);

impl<W: Work> Drop for Here<'_, W> {
    fn drop(&mut self) {
        let refused = enter(|held| {
            let mut requests = held.lock(&self.0.requests);
            requests.workers -= 1;
            let refused = if requests.workers == 0 { requests.close(Life::Aborted) } else { Default::default() };
            drop(requests);
            self.0.left.notify_all();
            refused
        });
        refused.into_iter().for_each(|request| request.answer.give(Err(BatchError::Closed)));
    }
}

enum Next<W: Work> {
    Unwanted(Vec<Request<W>>),
    Batch(VecDeque<Request<W>>),
    Ended,
}

/// The next batch, slept for. `None`: the queue has ended.
fn next<W: Work>(shared: &Shared<W>) -> Option<Batch<'_, W>> {
    loop {
        let next = enter(|held| {
            let mut requests = held.lock(&shared.requests);
            loop {
                let unwanted = requests.take_unwanted();
                if !unwanted.is_empty() {
                    return Next::Unwanted(unwanted);
                }
                match requests.when(&shared.options) {
                    When::Now => {
                        let batch = requests.take_batch(&shared.options);
                        if !requests.is_empty() {
                            shared.arrived.notify_one();
                        }
                        return Next::Batch(batch);
                    }
                    When::Later(limit) => requests = requests.wait(&shared.arrived, limit),
                    When::Never => return Next::Ended,
                }
            }
        });
        match next {
            Next::Unwanted(all) => {
                all.into_iter().for_each(|request| request.answer.give(Err(BatchError::Expired)));
            }
            Next::Batch(requests) => {
                let tokens = requests.iter().map(|request| request.tokens).sum();
                return Some(Batch { shared, requests, tokens });
            }
            Next::Ended => return None,
        }
    }
}

/// Requests at work. Whatever becomes of it, each is answered.
struct Batch<'a, W: Work> {
    shared: &'a Shared<W>,
    /// Those not answered yet, oldest first.
    requests: VecDeque<Request<W>>,
    tokens: usize,
}

impl<W: Work> Batch<'_, W> {
    fn run(mut self) {
        match self.compute(self.requests.iter()) {
            Ok(outputs) => outputs.into_iter().for_each(|output| self.answer_first(Ok(output))),
            Err(error) if self.requests.len() == 1 => self.answer_first(Err(error)),
            // One of them has it, or all: each is run by itself.
            Err(_) => {
                while let Some(first) = self.requests.front() {
                    let outcome = match first.answer.is_unwanted() {
                        true => Err(BatchError::Expired),
                        false => self.compute([first].into_iter()).map(|mut outputs| outputs.swap_remove(0)),
                    };
                    self.answer_first(outcome);
                }
            }
        }
    }

    fn compute<'r>(
        &self,
        requests: impl Iterator<Item = &'r Request<W>>,
    ) -> Result<Vec<W::Output>, BatchError<W::Error>> {
        let inputs: Vec<&W::Input> = requests.map(|request| &request.input).collect();
        let run = || {
            let outputs = self.shared.work.run(&inputs)?;
            assert_eq!(outputs.len(), inputs.len(), "outputs of a batch and its inputs");
            Ok(outputs)
        };
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(outputs) => outputs.map_err(BatchError::Work),
            Err(panic) => Err(BatchError::Panicked(message(&*panic))),
        }
    }

    fn answer_first(&mut self, outcome: Result<W::Output, BatchError<W::Error>>) {
        if let Some(request) = self.requests.pop_front() {
            request.answer.give(outcome);
        }
    }
}

impl<W: Work> Drop for Batch<'_, W> {
    fn drop(&mut self) {
        while let Some(request) = self.requests.pop_front() {
            request.answer.give(Err(BatchError::Panicked("the worker's batch was ended by a panic".to_owned())));
        }
        enter(|held| held.lock(&self.shared.requests).put_down(self.tokens));
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no message").to_owned()
}
