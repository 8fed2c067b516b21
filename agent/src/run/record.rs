//! The record of what is managed, which a run need not read where nothing in it can come to be another.

use super::{Context, StateDir, scope};
use cfg_catalog::digest::Digest;
use cfg_catalog::id::ResourceId;
use cfg_catalog::plan::document::Done;
use cfg_catalog::plan::leftovers::{Managed, Reverts, stamp};
use cfg_catalog::plan::{Plan, Snapshot};
use cfg_catalog::resource::Desired;
use std::collections::BTreeSet;

/// What is managed, as a run knows it.
pub(super) struct Record<'a> {
    state: &'a StateDir,
    managed: Managed,
    /// Of the role, where all of it is applied and nothing is to be brought back.
    stamp: Option<Digest>,
    /// It was not read: a run of this same role that changed nothing has left it as it is, and found nothing left over.
    unread: bool,
    /// It is another than that on disk: see [`Managed::renamed`].
    renamed: bool,
}

impl<'a> Record<'a> {
    /// What a run of this role must know of it to make its plan.
    pub(super) fn of(context: &Context<'a>) -> anyhow::Result<Self> {
        let whole = context.only.is_none() && !context.prune;
        let stamp = whole.then(|| stamp(context.desired)).flatten();
        let unread = stamp.is_some() && context.state.settled_for() == stamp;
        let managed = match unread {
            true => Managed::default(),
            false => context.state.managed()?,
        };
        Ok(Self {
            state: context.state,
            managed,
            stamp,
            unread,
            renamed: false,
        })
    }

    /// All that is on record, or of it what has a say in the plan: nothing where it was not read.
    pub(super) fn managed(&self) -> &Managed {
        &self.managed
    }

    /// What is another thing than what the role means by its name is known by another one from now on. Says whether there is any.
    pub(super) fn rename(
        &mut self,
        role: &Desired,
        snapshot: &Snapshot,
        scope: Option<&BTreeSet<ResourceId>>,
    ) -> bool {
        let renamed = self.managed.renamed(role, snapshot, scope);
        let any = renamed.is_some();
        self.renamed |= any;
        if let Some(renamed) = renamed {
            self.managed = renamed;
        }
        any
    }

    /// Puts on record what a run of this plan begins with, of the role as far as it is not withheld, and what was there before; to be
    /// done before its first effect.
    /// Gives what is on record then: nothing where it was not read and need not be.
    pub(super) fn begin(
        &mut self,
        context: &Context<'_>,
        role: &Desired,
        snapshot: &Snapshot,
        plan: &Plan,
    ) -> anyhow::Result<Managed> {
        if self.unread && plan.is_idle() {
            return Ok(Managed::default());
        }
        if self.unread {
            self.managed = self.state.managed()?;
            self.unread = false;
        }
        let scope = scope(context);
        self.rename(role, snapshot, scope.as_ref());
        let begun = self.managed.begun(role, snapshot, scope.as_ref(), plan);
        self.state.keep_former(&begun.keep)?;
        if self.renamed || begun.managed != self.managed {
            self.state.keep_managed(&begun.managed)?;
        }
        Ok(begun.managed)
    }

    /// Puts on record what a run has made, which has come to this record. Where that changed nothing, the next run of the
    /// same role need not read it.
    pub(super) fn end(
        &self,
        context: &Context<'_>,
        plan: &Plan,
        now: &Managed,
        (done, reverts): (&Done, &Reverts),
    ) -> anyhow::Result<()> {
        if self.unread {
            return Ok(());
        }
        let scope = scope(context);
        let ended = now.ended(done, reverts, &self.managed, scope.as_ref());
        if ended != *now {
            self.state.keep_managed(&ended)?;
        }
        self.state.forget_former(&ended.contents())?;
        match &self.stamp {
            Some(stamp) if plan.is_idle() && ended == self.managed => {
                self.settle(context, stamp, &ended)
            }
            _ => Ok(()),
        }
    }

    fn settle(
        &self,
        context: &Context<'_>,
        stamp: &Digest,
        managed: &Managed,
    ) -> anyhow::Result<()> {
        match managed.left(context.desired).is_empty() {
            true => self.state.settle_for(stamp),
            false => Ok(()),
        }
    }
}
