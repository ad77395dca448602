//! `POST /v1/commands`: the outbox of a phone.

use axum::{Json, extract::State};
use taiwa_shared::protocol::{
    commands::{CommandsRequest, CommandsResponse, MAX_COMMANDS},
    problem::ProblemCode,
};

use super::{
    App,
    extract::{Body, SignedIn},
    openapi::{OfBody, OfQuota, OfServer, OfToken},
    problem::HttpError,
};
use crate::records::commands;

/// Takes the oldest commands of a phone's outbox.
///
/// Each command is applied exactly once: sent again after a lost reply, it gets the same outcome. Commands of one
/// sign-in are taken in the order of `sequence`; a conflict or rejection holds up none of those after it. One outcome
/// per command, in order. In another `epoch` (the server was restored) send the commands of the last 30 days again.
#[utoipa::path(
    post, path = "/v1/commands", tag = "records", operation_id = "send_commands", security(("bearer" = [])),
    request_body(content = CommandsRequest, example = json!({ "commands": [{
        "id": "0190a5c0-7d3e-7c4b-9f00-3a6c1c2f0e12", "sequence": 7, "made": 1_776_470_400_000_u64,
        "action": {
            "type": "cancel", "base": 0,
            "meeting": {
                "id": "5b6a1b52-3c1e-5d0a-8a3e-0d6b5b0a7a10", "pair": "0190a5c0-7d3e-7c4b-9f00-3a6c1c2f0e11",
                "slot": "2026-04-20",
            },
        },
    }] })),
    responses(
        (status = 200, description = "What became of each command.", body = CommandsResponse),
        OfBody, OfToken, OfQuota, OfServer,
    ),
)]
pub(super) async fn take(
    State(app): State<App>,
    person: SignedIn,
    Body(request): Body<CommandsRequest>,
) -> Result<Json<CommandsResponse>, HttpError> {
    if request.commands.len() > MAX_COMMANDS {
        let detail = format!("{} commands in one request: send at most {MAX_COMMANDS}", request.commands.len());
        return Err(HttpError::new(ProblemCode::InvalidRequest, detail));
    }
    let answer = commands::take(&app.store, &app.bus, &person.principal(), &request, app.clock.now()).await?;
    for (command, answered) in request.commands.iter().zip(&answer.outcomes) {
        app.metrics.command(&command.action, &answered.outcome);
    }
    Ok(Json(answer))
}
