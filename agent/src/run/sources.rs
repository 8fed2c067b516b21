//! What the role's repositories have is fetched when it is new, and what cannot be fetched is a failure of its repository.

use super::engine::Engine;
use super::site::{Hand, Lacks, Trouble};
use cfg_catalog::id::Kind;

/// What became of the index in this run.
#[derive(Default)]
pub(super) struct Sources {
    /// It was seen to that all sources are in it.
    asked: bool,
    /// Why not all could be fetched: to ask again at once gives the same.
    complaint: Option<String>,
}

impl<H: Hand> Engine<'_, H> {
    /// Has what is new of the role's repositories fetched, once they all have had their turns.
    pub(super) fn fetch_sources(&mut self) -> Result<(), Trouble> {
        let mut steps = self.plan.steps.iter();
        let any = steps.any(|step| step.step.resource.kind == Kind::Repository);
        if any && !self.sources.asked {
            self.sources.asked = true;
            self.refresh(Lacks::Source)?;
        }
        Ok(())
    }

    /// A repository is another one now.
    pub(super) fn sources_differ(&mut self) {
        self.sources = Sources::default();
    }

    /// Refreshes the index where that is due. Gives apt's complaint where that did not wholly succeed.
    pub(super) fn refresh(&mut self, lacks: Lacks) -> Result<Option<String>, Trouble> {
        if self.sources.complaint.is_some() {
            return Ok(self.sources.complaint.clone());
        }
        let complaint = match self.hand.refresh_index(lacks) {
            Ok(None) => return Ok(None),
            Ok(Some(complaint)) => complaint,
            Err(Trouble::Failed(why)) => return Ok(Some(why)),
            Err(stop) => return Err(stop),
        };
        for (id, why) in complaint.of {
            if !self.is_broken(&id) {
                self.fail(&id, why);
            }
        }
        self.sources.complaint = Some(complaint.text.clone());
        Ok(Some(complaint.text))
    }
}
