//! The peer's slots: what it says of them, and what it has heard.

use cfg_wire::{
    GiveSlotReply, GiveSlotRequest, HealthReply, HealthRequest, KeepSlotReply, KeepSlotRequest,
    TakeSlotReply, TakeSlotRequest,
};
use std::sync::Mutex;
use tonic::{Response, Status};

/// Without an answer it is a server of before there were any.
#[derive(Default)]
pub struct Slots {
    pub answer: Mutex<Option<TakeSlotReply>>,
    /// Sequence, view, and whether it leads.
    pub taken: Mutex<Vec<(u64, u64, bool)>>,
    /// The same of those who mend themselves.
    pub mended: Mutex<Vec<(u64, u64, bool)>>,
    pub kept: Mutex<Vec<u64>>,
    /// Whoever keeps one has lost it.
    pub loses: Mutex<bool>,
    pub given: Mutex<Vec<(u64, bool)>>,
    pub healths: Mutex<Vec<(u64, bool)>>,
}

impl Slots {
    /// From now on there is none, for this reason.
    pub fn refuse(&self, why: &str) {
        let refused = why.to_owned();
        *self.answer.lock().unwrap() = Some(TakeSlotReply {
            refused,
            ..TakeSlotReply::default()
        });
    }

    /// From now on there is one, for so many seconds.
    pub fn grant(&self, fence: u64, lease_seconds: u32) {
        *self.answer.lock().unwrap() = Some(TakeSlotReply {
            fence,
            lease_seconds,
            refused: String::new(),
        });
    }

    pub fn take(&self, request: TakeSlotRequest) -> Result<Response<TakeSlotReply>, Status> {
        let TakeSlotRequest {
            sequence,
            view,
            leads,
            mending,
        } = request;
        let asked = if mending { &self.mended } else { &self.taken };
        asked.lock().unwrap().push((sequence, view, leads));
        let answer = self.answer.lock().unwrap().clone();
        let none = || Status::unimplemented("no such call");
        answer.map(Response::new).ok_or_else(none)
    }

    pub fn keep(&self, request: KeepSlotRequest) -> Result<Response<KeepSlotReply>, Status> {
        self.kept.lock().unwrap().push(request.fence);
        match *self.loses.lock().unwrap() {
            true => Err(Status::failed_precondition("it is another's")),
            false => Ok(Response::new(KeepSlotReply {})),
        }
    }

    pub fn give(&self, request: GiveSlotRequest) -> Result<Response<GiveSlotReply>, Status> {
        let given = (request.fence, request.healthy);
        self.given.lock().unwrap().push(given);
        Ok(Response::new(GiveSlotReply {}))
    }

    pub fn health(&self, request: HealthRequest) -> Result<Response<HealthReply>, Status> {
        let health = (request.probe, request.healthy);
        self.healths.lock().unwrap().push(health);
        Ok(Response::new(HealthReply {}))
    }
}
