//! Static files: embedded, compressed once at start, served under an address that holds their digest.

use std::collections::HashMap;
use std::io::Write;
use std::sync::LazyLock;

use actix_web::http::header::{self, ContentEncoding};
use actix_web::{HttpRequest, HttpResponse, web};
use rust_embed::Embed;

use crate::secret::Digest;

#[derive(Embed)]
#[folder = "$CARGO_MANIFEST_DIR/static"]
struct Files;

struct Asset {
    mime: String,
    raw: Vec<u8>,
    brotli: Option<Vec<u8>>,
    gzip: Option<Vec<u8>>,
}

static ASSETS: LazyLock<HashMap<String, Asset>> =
    LazyLock::new(|| Files::iter().filter_map(|name| Some((name.to_string(), load(&name)?))).collect());

/// One digest over all files: the style sheet names an icon beside it, and both change their address together.
static HASH: LazyLock<String> = LazyLock::new(|| {
    let mut names: Vec<&String> = ASSETS.keys().collect();
    names.sort();
    let all: String = names.iter().filter_map(|name| Some(Digest::of_bytes(&ASSETS.get(*name)?.raw).hex())).collect();
    Digest::of(&all).hex().chars().take(16).collect()
});

fn load(name: &str) -> Option<Asset> {
    let raw = Files::get(name)?.data.into_owned();
    let mime = mime_guess::from_path(name).first_or_octet_stream().to_string();
    let smaller = |packed: Vec<u8>| Some(packed).filter(|packed| packed.len() < raw.len());
    Some(Asset { brotli: brotli(&raw).and_then(smaller), gzip: gzip(&raw).and_then(smaller), mime, raw })
}

/// The best, for 0.15 s at every start: one below it, a first visit weighs more than the 35 kB that it may.
fn brotli(raw: &[u8]) -> Option<Vec<u8>> {
    let mut writer = brotli::CompressorWriter::new(Vec::new(), 64 * 1024, 11, 22);
    writer.write_all(raw).ok()?;
    Some(writer.into_inner())
}

fn gzip(raw: &[u8]) -> Option<Vec<u8>> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    writer.write_all(raw).ok()?;
    writer.finish().ok()
}

/// Compresses everything now, not at the first visit.
pub fn prepare() {
    LazyLock::force(&HASH);
}

/// `/assets/HASH/NAME`. A test looks for each name that a template uses.
pub fn url(name: &str) -> String {
    format!("/assets/{}/{name}", *HASH)
}

pub async fn serve(request: HttpRequest, path: web::Path<(String, String)>) -> HttpResponse {
    let (hash, name) = path.into_inner();
    match ASSETS.get(&name) {
        Some(asset) => answer(&request, asset, *HASH == hash),
        None => HttpResponse::NotFound().finish(),
    }
}

/// Browsers ask for it whatever the page says.
pub async fn favicon(request: HttpRequest) -> HttpResponse {
    match ASSETS.get("favicon.svg") {
        Some(asset) => answer(&request, asset, false),
        None => HttpResponse::NotFound().finish(),
    }
}

/// Under its own digest a file never changes; under another one it is asked for again.
fn answer(request: &HttpRequest, asset: &Asset, is_current: bool) -> HttpResponse {
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let etag = format!("\"{}\"", *HASH);
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::ETAG, etag.clone())).insert_header((header::VARY, "accept-encoding"));
    let caching = if is_current { "public, max-age=31536000, immutable" } else { "no-cache" };
    answer.insert_header((header::CACHE_CONTROL, caching));
    if text(header::IF_NONE_MATCH) == etag {
        answer.status(actix_web::http::StatusCode::NOT_MODIFIED);
        return answer.finish();
    }
    answer.content_type(asset.mime.as_str());
    let accepted = text(header::ACCEPT_ENCODING);
    let accepts =
        |coding: &str| accepted.split(',').any(|entry| entry.split(';').next().unwrap_or_default().trim() == coding);
    match (&asset.brotli, &asset.gzip) {
        (Some(packed), _) if accepts("br") => answer.insert_header(ContentEncoding::Brotli).body(packed.clone()),
        (_, Some(packed)) if accepts("gzip") => answer.insert_header(ContentEncoding::Gzip).body(packed.clone()),
        _ => answer.body(asset.raw.clone()),
    }
}
