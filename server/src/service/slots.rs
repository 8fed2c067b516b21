//! Slots, as machines ask for them: how the others are is asked of them first.

use super::probes::Probe;
use crate::listen::Caller;
use crate::refusal::Refusal;
use crate::server::Server;
use crate::state::slot::{Asked, Health, Known, LEASE, Slot, Verdict};
use crate::state::{Node, State};
use cfg_wire as wire;
use std::collections::BTreeMap;
use std::time::Duration;

/// So long the others have to say how they are.
const ASKED_FOR: Duration = Duration::from_secs(10);

/// Answers that come within this time are looked at together: of ten thousand members each would else be a look at all.
const TOGETHER: Duration = Duration::from_millis(20);

/// Gives a slot, or says why there is none.
///
/// # Errors
/// Where the caller's role has no slots, or the store does not answer.
pub async fn take(
    server: &Server,
    caller: &Caller,
    (name, node): (String, Node),
    asked: Asked,
) -> Result<wire::TakeSlotReply, Refusal> {
    if !asked.mending {
        server.leaders.say(&name, asked.leads);
    }
    let probe = server.probes.of(&node.role);
    let health = match heard(server, &name, &node.role, asked, &probe).await? {
        Ok(health) => health,
        // Most who ask are told no, and the log need not hear of it.
        Err(refused) => return Ok(none(refused)),
    };
    if !server.takes.begin(&name) {
        let refused = "this machine took too many slots, and has to wait until a minute is over";
        caller.refused(format_args!("a slot: {refused}"));
        return Ok(none(refused.into()));
    }
    let (holder, role) = (name.clone(), node.role);
    let (leases, leaders) = (server.leases.clone(), server.leaders.clone());
    let decide = move |state: &State| {
        let known = Known {
            age: &|slot| leases.age(slot),
            // Who came meanwhile was not asked.
            health: &|other| health.get(other).copied().unwrap_or(Health::Unclear),
            leads: &|other| leaders.has(other),
        };
        state.take_slot(&name, asked, known)
    };
    let taken = server.log.commit(format!("node {holder}"), decide).await;
    if !matches!(taken, Ok(Ok(_))) {
        server.takes.undo(&holder);
    }
    Ok(match taken? {
        Ok(fence) => {
            let what = if asked.mending {
                ", to mend itself"
            } else {
                ""
            };
            caller.note(format_args!("has slot {fence} of role {role}{what}"));
            wire::TakeSlotReply {
                fence,
                lease_seconds: u32::try_from(LEASE.as_secs()).unwrap_or(u32::MAX),
                refused: String::new(),
            }
        }
        Err(refused) => none(refused),
    })
}

/// That there is no slot, and why.
fn none(refused: String) -> wire::TakeSlotReply {
    wire::TakeSlotReply {
        refused,
        ..wire::TakeSlotReply::default()
    }
}

/// How the others are, as far as it decides; or why there is no slot.
async fn heard(
    server: &Server,
    name: &str,
    role: &str,
    asked: Asked,
    probe: &Probe,
) -> Result<Result<BTreeMap<String, Health>, String>, Refusal> {
    let state = server.log.level().await?;
    let members = state.members(role);
    let verdict = |health: &BTreeMap<String, Health>| {
        let known = Known {
            age: &|slot| server.leases.age(slot),
            health: &|other| health.get(other).copied().unwrap_or(Health::Unclear),
            leads: &|other| server.leaders.has(other),
        };
        state.slot_for(name, asked, known)
    };
    // How they are as far as they said so to this number; who has not is this. To none, nobody has.
    let look = |number: Option<u64>, else_is: Health| -> BTreeMap<String, Health> {
        let names = members.iter().map(|member| member.name.clone());
        let said = |name: &str| number.and_then(|number| probe.said(name, number));
        let health = |name: &str| match said(name) {
            Some(true) => Health::Healthy,
            Some(false) => Health::Unhealthy,
            None if server.watching.has(name) => else_is,
            None => Health::Away,
        };
        names.map(|name| (name.clone(), health(&name))).collect()
    };
    // What is known without asking may be enough to say no.
    let known = look(None, Health::Unclear);
    match verdict(&known)? {
        Verdict::Not(why) => return Ok(Err(why)),
        Verdict::Free => return Ok(Ok(known)),
        Verdict::Unclear => {}
    }
    let mut signs = probe.answers();
    let number = Some(probe.ask(members.len()));
    let end = tokio::time::Instant::now() + ASKED_FOR;
    loop {
        let health = look(number, Health::Unclear);
        match verdict(&health)? {
            Verdict::Not(why) => return Ok(Err(why)),
            Verdict::Free => return Ok(Ok(health)),
            Verdict::Unclear => {}
        }
        if tokio::time::timeout_at(end, signs.next()).await.is_err() {
            return Ok(Ok(look(number, Health::Silent)));
        }
        tokio::time::sleep(TOGETHER).await;
    }
}

/// A slot lasts for longer.
///
/// # Errors
/// Where it is lost, or the store does not answer.
pub async fn keep(server: &Server, name: String, fence: u64) -> Result<(), Refusal> {
    let by = format!("node {name}");
    let leases = server.leases.clone();
    let age = move |slot: &Slot| leases.age(slot);
    let decide = move |state: &State| Ok((state.keep_slot(&name, fence, &age)?, ()));
    server.log.commit(by, decide).await
}

/// A slot is given back.
///
/// # Errors
/// As above.
pub async fn give(
    server: &Server,
    caller: &Caller,
    name: String,
    (fence, healthy): (u64, bool),
) -> Result<(), Refusal> {
    let by = format!("node {name}");
    let decide = move |state: &State| Ok((state.give_slot(&name, fence, healthy)?, ()));
    server.log.commit(by, decide).await?;
    let word = if healthy { "healthy" } else { "not healthy" };
    caller.note(format_args!("gives slot {fence} back and is {word}"));
    Ok(())
}

/// A machine disrupted what it does without a slot, since a person there said so: that is kept, once where it is said twice.
///
/// # Errors
/// Where there was too much of it lately, or the store does not answer.
pub async fn waived(
    server: &Server,
    caller: &Caller,
    name: String,
    why: String,
) -> Result<(), Refusal> {
    let same = format!("{name} {why}");
    if server.same_waivers.is_over(&same) {
        return Ok(());
    }
    if !server.waivers.begin(&name) {
        return Err(Refusal::TooMany("runs without a slot"));
    }
    caller.warn(format_args!("took no slot: {why}"));
    let (by, who) = (format!("node {name}"), name.clone());
    let decide = move |state: &State| Ok((state.waive_slot(&name, &why)?, ()));
    let kept = server.log.commit(by, decide).await;
    match kept {
        // Not before: where it was not kept it must be said again.
        Ok(()) => {
            server.same_waivers.begin(&same);
        }
        Err(_) => server.waivers.undo(&who),
    }
    kept
}
