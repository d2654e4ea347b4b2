//! Delivery: addresses, ranges, conditions and header fields.

use reqwest::header;
use serde_json::Value;

use super::site::{Site, bytes, metadata};

async fn file_of(site: &Site, token: &str, length: usize) -> (Vec<u8>, String) {
    let file = bytes(length);
    let view = site.finished(token, &file, &[]).await;
    (file, view["media"]["variants"][0]["url"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn ranges_conditions_and_heads_are_answered_as_http_says() {
    let site = Site::start(&[]).await;
    let token = site.token("ann").await;
    let (file, address) = file_of(&site, &token, 200_000).await;
    let get = async |fields: &[(&str, &str)]| {
        let mut request = site.http.get(site.url(&address));
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    };
    let whole = get(&[]).await;
    let field = |answer: &reqwest::Response, name: &str| {
        answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    };
    let etag = field(&whole, "etag");
    assert_eq!(field(&whole, "cache-control"), "private, max-age=3600");
    assert_eq!(field(&whole, "content-type"), "application/octet-stream");
    assert!(field(&whole, "content-disposition").starts_with("attachment; filename="));
    assert_eq!(field(&whole, "content-security-policy"), "default-src 'none'; sandbox");
    assert_eq!(field(&whole, "x-content-type-options"), "nosniff");
    assert_eq!(field(&whole, "cross-origin-resource-policy"), "cross-origin");
    assert_eq!(
        (field(&whole, "accept-ranges"), field(&whole, "content-length")),
        ("bytes".into(), "200000".into())
    );
    assert!(whole.bytes().await.unwrap() == file);

    let part = get(&[("range", "bytes=70000-140000")]).await;
    assert_eq!(
        (part.status().as_u16(), field(&part, "content-range")),
        (206, "bytes 70000-140000/200000".into())
    );
    assert!(part.bytes().await.unwrap() == file[70_000..=140_000]);
    let last = get(&[("range", "bytes=-5"), ("if-range", &etag)]).await;
    assert!(last.bytes().await.unwrap() == file[199_995..]);
    let other = get(&[("range", "bytes=-5"), ("if-range", "\"other\"")]).await;
    assert_eq!((other.status().as_u16(), other.bytes().await.unwrap().len()), (200, 200_000));
    for beyond in ["bytes=200000-", "bytes=-0"] {
        let beyond = get(&[("range", beyond)]).await;
        assert_eq!(
            (beyond.status().as_u16(), field(&beyond, "content-range")),
            (416, "bytes */200000".into())
        );
    }
    let many = (0..1_000).map(|n| format!("{n}-{n}")).collect::<Vec<_>>().join(",");
    assert_eq!(get(&[("range", &format!("bytes={many}"))]).await.status(), 200);
    let known = get(&[("if-none-match", &etag)]).await;
    assert_eq!((known.status().as_u16(), known.bytes().await.unwrap().len()), (304, 0));
    let head = site.http.head(site.url(&address)).header(header::RANGE, "bytes=0-9").send().await.unwrap();
    assert_eq!((head.status().as_u16(), field(&head, "content-length")), (206, "10".into()));
}

#[tokio::test]
async fn address_is_for_one_variant_of_one_medium_until_its_end() {
    let site = Site::start(&[]).await;
    let token = site.token("ann").await;
    let (_, address) = file_of(&site, &token, 1_000).await;
    let status =
        async |address: &str| site.http.get(site.url(address)).send().await.unwrap().status().as_u16();
    assert_eq!(status(&address).await, 200);
    let (path, query) = address.split_once('?').unwrap();
    let ends: u64 = query.split('&').find_map(|pair| pair.strip_prefix("e=")).unwrap().parse().unwrap();
    assert_eq!(ends % 3_600, 0, "addresses end at the hour, so that caches can keep them");
    let digest = path.split('/').nth(3).unwrap();
    let first = if digest.starts_with('0') { "1" } else { "0" };
    for forged in [
        address.replace("/original?", "/480?"),
        address.replace(digest, &format!("{first}{}", &digest[1..])),
        address.replace(&format!("e={ends}"), &format!("e={}", ends + 3_600)),
        address.replace(&format!("e={ends}&"), ""),
        format!("{path}?e={ends}"),
        path.to_owned(),
        format!("{address}&x=1"),
        format!("{path}?e=1&k=00000000&s=AAAAAAAAAAAAAAAAAAAAAA"),
    ] {
        assert_eq!(status(&forged).await, 403, "{forged}");
    }
    assert_eq!(status("/v1/media/abc/original?k=a&s=b").await, 400);
}

#[tokio::test]
async fn public_medium_of_a_host_may_be_kept_for_ever() {
    let site = Site::start(&[]).await;
    let host = site.server.token("hana", "*", "host").await;
    let public = metadata(&[("visibility", "public")]);
    let view = site.finished(&host, &bytes(500), &[("upload-metadata", &public)]).await;
    let address = view["media"]["variants"][0]["url"].as_str().unwrap();
    assert!(!address.contains("e="), "{address}");
    let answer = site.http.get(site.url(address)).send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "public, max-age=31536000, immutable");
}

#[tokio::test]
async fn page_of_this_server_may_upload_and_a_foreign_one_may_not() {
    let site = Site::start(&[]).await;
    let token = site.token("ann").await;
    let own = format!("http://{}", site.server.public);
    let ask = async |origin: &str| {
        let request =
            site.http.request(reqwest::Method::OPTIONS, site.url("/v1/uploads")).header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        request.header("access-control-request-headers", "tus-resumable,upload-length").send().await.unwrap()
    };
    let preflight = ask(&own).await;
    let allowed =
        |name: &str| preflight.headers().get(name).map(|value| value.to_str().unwrap().to_lowercase());
    assert_eq!(allowed("access-control-allow-origin"), Some(own.clone()));
    assert!(allowed("access-control-allow-methods").unwrap().contains("patch"));
    assert!(allowed("access-control-allow-headers").unwrap().contains("upload-length"));
    assert!(!ask("https://evil.example").await.headers().contains_key("access-control-allow-origin"));
    let create = async |origin: &str| {
        site.tus("POST", "/v1/uploads", &token, &[("upload-length", "5"), ("origin", origin)], "").await
    };
    let created = create(&own).await;
    assert_eq!(created.status(), 201);
    let exposed = created.headers()["access-control-expose-headers"].to_str().unwrap();
    assert!(exposed.contains("location") && exposed.contains("upload-offset"), "{exposed}");
    assert_eq!(create("https://evil.example").await.status(), 403);
    // A client that is no browser asks what the server can.
    let options = site.http.request(reqwest::Method::OPTIONS, site.url("/v1/uploads")).send().await.unwrap();
    assert_eq!(options.status(), 204);
    assert_eq!(options.headers()["tus-version"], "1.0.0");
    assert_eq!(options.headers()["tus-checksum-algorithm"], "sha1,sha256");
    assert!(options.headers()["tus-extension"].to_str().unwrap().contains("concatenation"));
}

#[tokio::test]
async fn public_listener_has_no_route_of_media() {
    let site = Site::start(&[]).await;
    let token = site.token("ann").await;
    let answer = site.server.post("/v1/uploads", &token, "").await;
    assert!([404, 405].contains(&answer.status), "{answer:?}");
    let document: Value = site.server.get("/v1/openapi.json").await.body;
    assert_eq!(document["paths"]["/v1/uploads"]["post"]["tags"][0], "media");
}
