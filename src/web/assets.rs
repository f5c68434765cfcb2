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
    url: String,
    hash: String,
    mime: String,
    raw: Vec<u8>,
    brotli: Option<Vec<u8>>,
    gzip: Option<Vec<u8>>,
}

static ASSETS: LazyLock<HashMap<String, Asset>> = LazyLock::new(|| {
    Files::iter()
        .filter_map(|name| Some((name.to_string(), load(&name)?)))
        .collect()
});

fn load(name: &str) -> Option<Asset> {
    let raw = Files::get(name)?.data.into_owned();
    let hash: String = Digest::of_bytes(&raw).hex().chars().take(16).collect();
    let mime = mime_guess::from_path(name).first_or_octet_stream().to_string();
    let smaller = |packed: Vec<u8>| Some(packed).filter(|packed| packed.len() < raw.len());
    Some(Asset {
        url: format!("/assets/{hash}/{name}"),
        brotli: brotli(&raw).and_then(smaller),
        gzip: gzip(&raw).and_then(smaller),
        hash,
        mime,
        raw,
    })
}

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
    LazyLock::force(&ASSETS);
}

/// `/assets/HASH/NAME`. A name without a file is a slip in a template: it leads to a 404, and a test finds it.
pub fn url(name: &str) -> String {
    ASSETS
        .get(name)
        .map_or_else(|| format!("/assets/missing/{name}"), |asset| asset.url.clone())
}

pub async fn serve(request: HttpRequest, path: web::Path<(String, String)>) -> HttpResponse {
    let (hash, name) = path.into_inner();
    match ASSETS.get(&name) {
        Some(asset) => answer(&request, asset, asset.hash == hash),
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
    let text = |name| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let etag = format!("\"{}\"", asset.hash);
    let mut answer = HttpResponse::Ok();
    answer
        .insert_header((header::ETAG, etag.clone()))
        .insert_header((header::VARY, "accept-encoding"));
    let caching = if is_current {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    answer.insert_header((header::CACHE_CONTROL, caching));
    if text(header::IF_NONE_MATCH) == etag {
        answer.status(actix_web::http::StatusCode::NOT_MODIFIED);
        return answer.finish();
    }
    answer.content_type(asset.mime.as_str());
    let accepted = text(header::ACCEPT_ENCODING);
    let accepts = |coding: &str| {
        accepted
            .split(',')
            .any(|entry| entry.split(';').next().unwrap_or_default().trim() == coding)
    };
    match (&asset.brotli, &asset.gzip) {
        (Some(packed), _) if accepts("br") => answer.insert_header(ContentEncoding::Brotli).body(packed.clone()),
        (_, Some(packed)) if accepts("gzip") => answer.insert_header(ContentEncoding::Gzip).body(packed.clone()),
        _ => answer.body(asset.raw.clone()),
    }
}
