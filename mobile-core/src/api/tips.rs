//! Tips of managers, and a manager's own words.

use taiwa_shared::ids::{PairId, TipId};

use super::{
    ApiError, DimensionView, MoreTipsView, NewTipView, PinnedTipView, Session, StrengthsView, TipFilterView,
    TipListView, TipWarningView,
    error::parsed,
    runtime::{ask, run},
    session::{all, pair},
};

fn tip(text: &str) -> Result<TipId, ApiError> {
    parsed("the tip", text)
}

#[uniffi::export]
impl Session {
    /// The tips on this phone that fit and hold all of the words; without a network.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`] if this person manages nobody, [`ApiError::TooLong`], [`ApiError::InvalidArgument`].
    pub async fn tips(&self, filter: TipFilterView, words: String) -> Result<TipListView, ApiError> {
        let (filter, session) = (filter.try_into()?, self.inner.clone());
        run(async move { session.tips(&filter, &words).await }).await.map(Into::into)
    }

    /// The server's tips that fit, a page at a time; for 「もっと見る」.
    ///
    /// # Errors
    /// [`ApiError::Offline`], and as for `tips`.
    pub async fn more_tips(
        &self,
        filter: TipFilterView,
        words: String,
        cursor: Option<String>,
    ) -> Result<MoreTipsView, ApiError> {
        let (filter, session) = (filter.try_into()?, self.inner.clone());
        run(async move { session.more_tips(&filter, &words, cursor.as_deref()).await }).await.map(Into::into)
    }

    /// Call when the tips or the own strengths come on the screen: newer ones are pulled soon.
    pub fn tips_opened(&self) {
        self.inner.tips_opened();
    }

    /// Tells other managers what worked; the answer is its id.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`], [`ApiError::TooLong`], [`ApiError::NotOneLine`], [`ApiError::StorageFull`].
    pub async fn write_tip(&self, tip: NewTipView) -> Result<String, ApiError> {
        let tip = tip.try_into()?;
        ask!(self.write_tip(tip)).map(|id| id.to_string())
    }

    /// What in a text may name somebody; to show while it is written. It forbids nothing.
    pub fn tip_warnings(&self, text: String) -> Vec<TipWarningView> {
        all(self.inner.tip_warnings(&text))
    }

    /// Takes an own tip back, everywhere.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`] if it is not this person's.
    pub async fn withdraw_tip(&self, tip_id: String) -> Result<(), ApiError> {
        let tip = tip(&tip_id)?;
        ask!(self.withdraw_tip(tip))
    }

    /// 「試してよかった」, or takes it back.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`], [`ApiError::StorageFull`].
    pub async fn set_tip_helped(&self, tip_id: String, helped: bool) -> Result<(), ApiError> {
        let tip = tip(&tip_id)?;
        ask!(self.set_tip_helped(tip, helped))
    }

    /// Reports a tip that names somebody or should not stand there.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`], [`ApiError::StorageFull`].
    pub async fn report_tip(&self, tip_id: String) -> Result<(), ApiError> {
        let tip = tip(&tip_id)?;
        ask!(self.report_tip(tip))
    }

    /// 「試してみる」: pins a tip to the next brief of a member, on this phone alone.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`] if this person is not that member's manager, [`ApiError::TooLong`], [`ApiError::StorageFull`].
    pub async fn pin_tip(&self, pair_id: String, tip_id: Option<String>, text: String) -> Result<(), ApiError> {
        let (pair, tip) = (pair(&pair_id)?, tip_id.as_deref().map(tip).transpose()?);
        ask!(self.pin_tip(pair, tip, text))
    }

    /// Takes a pinned tip off.
    ///
    /// # Errors
    /// [`ApiError::StorageFull`].
    pub async fn unpin_tip(&self, pair_id: String, text: String) -> Result<(), ApiError> {
        let (pair, session): (PairId, _) = (pair(&pair_id)?, self.inner.clone());
        run(async move { session.unpin_tip(pair, &text).await }).await
    }

    /// The pinned tips.
    ///
    /// # Errors
    /// [`ApiError::Unexpected`] if the store cannot be read.
    pub async fn pinned_tips(&self) -> Result<Vec<PinnedTipView>, ApiError> {
        ask!(self.pinned_tips()).map(all)
    }

    /// The card of this person's own words.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`] if this person manages nobody.
    pub async fn strengths(&self) -> Result<StrengthsView, ApiError> {
        ask!(self.strengths()).map(Into::into)
    }

    /// Keeps what this person takes their strengths to be, on this phone alone; at most three.
    ///
    /// # Errors
    /// [`ApiError::TooLong`], [`ApiError::StorageFull`].
    pub async fn guess_strengths(&self, guess: Vec<DimensionView>) -> Result<(), ApiError> {
        let guess = guess.into_iter().map(TryInto::try_into).collect::<Result<Vec<_>, ApiError>>()?;
        ask!(self.guess_strengths(guess))
    }
}
