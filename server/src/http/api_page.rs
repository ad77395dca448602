//! The interactive page at `/api`, from files in the binary: Swagger UI over the server's own description.
//!
//! Nothing comes from elsewhere, and the policy lets nothing else in: no inline script, no `eval`, requests to this server
//! alone. The two large files are stored and sent compressed, which every browser understands.

use axum::{
    http::{HeaderName, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use taiwa_shared::protocol::problem::ProblemCode;

use super::{extract::Named, openapi::OfAbsence, problem::HttpError};

/// Images inside the style sheet are `data:` addresses.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the page.
struct File {
    name: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
    is_gzip: bool,
}

const FILES: [File; 4] = [
    File {
        name: "page.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../../assets/api.js"),
        is_gzip: false,
    },
    File {
        name: "page.css",
        media_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../../assets/api.css"),
        is_gzip: false,
    },
    File {
        name: "swagger-ui-bundle.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../../assets/swagger-ui/swagger-ui-bundle.js.gz"),
        is_gzip: true,
    },
    File {
        name: "swagger-ui.css",
        media_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../../assets/swagger-ui/swagger-ui.css.gz"),
        is_gzip: true,
    },
];

/// Shows this description as a page on which requests can be tried.
#[utoipa::path(
    get, path = "/api", tag = "server", operation_id = "api_page", security(()),
    responses((status = 200, description = "A page for developers.", content_type = "text/html", body = String)),
)]
pub(super) async fn page() -> impl IntoResponse {
    const HEADERS: [(HeaderName, &str); 1] = [(header::CONTENT_SECURITY_POLICY, POLICY)];
    (HEADERS, Html(include_str!("../../assets/api.html")))
}

/// Gives a file of the page at `/api`.
#[utoipa::path(
    get, path = "/api/{file}", tag = "server", operation_id = "api_page_file", security(()),
    params(("file" = String, Path, description = "Name of a script or style sheet.", example = "page.js")),
    responses(
        (status = 200, description = "The file, perhaps compressed with gzip.", content(
            (String = "text/javascript"), (String = "text/css"),
        )),
        OfAbsence,
    ),
)]
pub(super) async fn file(Named(name): Named) -> Result<Response, HttpError> {
    let file = FILES.iter().find(|file| file.name == name);
    let file = file.ok_or_else(|| HttpError::new(ProblemCode::NotFound, "the page at /api has no such file"))?;
    let mut answer = (StatusCode::OK, [(header::CONTENT_TYPE, file.media_type)], file.bytes).into_response();
    if file.is_gzip {
        answer.headers_mut().insert(header::CONTENT_ENCODING, header::HeaderValue::from_static("gzip"));
    }
    Ok(answer)
}
