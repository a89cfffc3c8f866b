//! Downloads that are cut and go on.

use super::server::{head, ranged};
use super::*;

/// Sends the first half of what it promises.
fn half(out: &mut dyn Write, body: &[u8], tag: &str) -> std::io::Result<()> {
    head(out, 200, Some(body.len()), &format!("ETag: {tag}\r\n"))?;
    out.write_all(&body[..body.len() / 2])
}

fn part(cache: &Cache) -> u64 {
    fs::metadata(cache.folder().join("ntkrnlmp.pdb.part")).unwrap().len()
}

#[test]
fn the_next_run_goes_on() {
    let content = table(ID, 200_000);
    let body = content.clone();
    let server = Server::new(move |number, request, out| match number {
        0 => half(out, &body, "\"v1\""),
        _ => ranged(out, request, "\"v1\"", &body),
    });
    let cache = Cache::new();
    let have = content.len() / 2;
    let cut = message(cache.fetch(&downloader(quick()), &server.url));
    assert!(cut.ends_with(&format!("{have} bytes are kept, and the next run goes on from there")), "{cut}");
    assert_eq!(
        (cache.files(), part(&cache)),
        (vec!["ntkrnlmp.pdb.part".into(), "ntkrnlmp.pdb.part.info".into()], have as u64)
    );

    assert_eq!(cache.fetch(&downloader(quick()), &server.url), Ok(Some(cache.target())));
    assert_eq!(fs::read(cache.target()).unwrap(), content);
    assert_eq!(cache.files(), [NAME]);
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!((asked[0].header("range"), asked[0].header("if-range")), (None, None));
    assert_eq!(asked[1].header("range"), Some(format!("bytes={have}-").as_str()));
    assert_eq!(asked[1].header("if-range"), Some("\"v1\""));
}

#[test]
fn the_same_run_goes_on() {
    let content = table(ID, 200_000);
    let body = content.clone();
    // A thousand bytes at a time, through a redirect.
    let server = Server::new(move |_, request, out| {
        if !request.path.starts_with("/blob") {
            return whole(out, 307, "Location: /blob\r\n", b"");
        }
        let start = request.header("range").map_or(0, |range| range[6..range.len() - 1].parse().unwrap());
        let range = format!("Content-Range: bytes {start}-{}/{}\r\n", body.len() - 1, body.len());
        head(out, if start == 0 { 200 } else { 206 }, Some(body.len() - start), &range)?;
        out.write_all(&body[start..(start + 50_000).min(body.len())])
    });
    let cache = Cache::new();
    let found = cache.fetch(&downloader(Options { retries: 5, ..quick() }), &server.url);
    assert_eq!(found, Ok(Some(cache.target())));
    assert_eq!(fs::read(cache.target()).unwrap(), content);
    // Without a tag, the length tells that it is the same file.
    let last = server.asked().pop().unwrap();
    assert_eq!((last.header("range"), last.header("if-range")), (Some("bytes=200000-"), None));
}

#[test]
fn a_server_that_ignores_the_range_is_believed() {
    let content = table(ID, 100_000);
    let body = content.clone();
    let server = Server::new(move |number, _, out| match number {
        0 => half(out, &body, "\"v1\""),
        _ => whole(out, 200, "", &body),
    });
    let cache = Cache::new();
    assert!(cache.fetch(&downloader(quick()), &server.url).is_err());
    assert_eq!(cache.fetch(&downloader(quick()), &server.url), Ok(Some(cache.target())));
    assert_eq!(fs::read(cache.target()).unwrap(), content);
}

/// The file that a server has now begins as another one did.
#[test]
fn a_file_that_changed_is_begun_again() {
    let wrong_parts: [fn(&Request, &[u8]) -> String; 5] = [
        |_, body| format!("Content-Range: bytes 7-{}/{}\r\n", body.len() - 1, body.len()),
        |request, body| format!("Content-Range: {}{}/{}\r\n", rest(request), body.len(), body.len() + 1),
        |request, body| {
            format!("ETag: \"v2\"\r\nContent-Range: {}{}/{}\r\n", rest(request), body.len() - 1, body.len())
        },
        |request, _| format!("Content-Range: {}9/*\r\n", rest(request)),
        |_, _| String::new(),
    ];
    for wrong in wrong_parts {
        let content = table(ID, 100_000);
        let body = content.clone();
        let server = Server::new(move |number, request, out| match number {
            0 => half(out, &table(OTHER, 100_000), "\"v1\""),
            1 => whole(out, 206, &wrong(request, &body), &body[body.len() / 2..]),
            _ => ranged(out, request, "\"v2\"", &body),
        });
        let cache = Cache::new();
        let found = cache.fetch(&downloader(Options { retries: 2, ..quick() }), &server.url);
        assert_eq!(found, Ok(Some(cache.target())));
        assert_eq!(fs::read(cache.target()).unwrap(), content);
        assert_eq!(server.asked()[2].header("range"), None);
    }
}

/// `bytes 100-` for a request of `bytes=100-`.
fn rest(request: &Request) -> String {
    request.header("range").unwrap().replace('=', " ")
}

#[test]
fn a_range_that_is_not_there_is_asked_for_once() {
    let content = table(ID, 100_000);
    let body = content.clone();
    let server = Server::new(move |number, request, out| match (number, request.header("range")) {
        (0, _) => half(out, &table(OTHER, 300_000), "\"v1\""),
        (_, Some(_)) => whole(out, 416, "", b""),
        (_, None) => whole(out, 200, "", &body),
    });
    let cache = Cache::new();
    let found = cache.fetch(&downloader(Options { retries: 2, ..quick() }), &server.url);
    assert_eq!(found, Ok(Some(cache.target())));
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn what_cannot_be_gone_on_with_is_begun_again() {
    let content = table(ID, 10_000);
    let body = content.clone();
    let server = Server::new(move |_, request, out| ranged(out, request, "\"v1\"", &body));
    let url = format!("{}/{NAME}/{ID}/{NAME}", server.url);
    let length = content.len();
    let infos = [
        String::new(),
        "nonsense".into(),
        format!("http://other/\n{length}\n\"v1\"\n"),
        format!("{url}\n\n\n"),
        // Shorter than what is there.
        format!("{url}\n50\n\"v1\"\n"),
        "\u{fffd}\n".repeat(20_000),
    ];
    for info in infos {
        let cache = Cache::new();
        fs::create_dir_all(cache.folder()).unwrap();
        fs::write(cache.folder().join("ntkrnlmp.pdb.part"), [b'?'; 100]).unwrap();
        fs::write(cache.folder().join("ntkrnlmp.pdb.part.info"), &info).unwrap();
        assert_eq!(cache.fetch(&downloader(quick()), &server.url), Ok(Some(cache.target())), "{info:.100}");
        assert_eq!(fs::read(cache.target()).unwrap(), content, "{info:.100}");
        assert_eq!(cache.files(), [NAME]);
    }
    assert!(server.asked().iter().all(|request| request.header("range").is_none()));
}

#[test]
fn a_whole_file_that_was_left_is_not_asked_for() {
    let server = Server::new(|_, _, out| whole(out, 500, "", b""));
    let cache = Cache::new();
    let content = table(ID, 1000);
    fs::create_dir_all(cache.folder()).unwrap();
    fs::write(cache.folder().join("ntkrnlmp.pdb.part"), &content).unwrap();
    let info = format!("{}/{NAME}/{ID}/{NAME}\n{}\n\n", server.url, content.len());
    fs::write(cache.folder().join("ntkrnlmp.pdb.part.info"), info).unwrap();
    assert_eq!(cache.fetch(&downloader(quick()), &server.url), Ok(Some(cache.target())));
    assert!(server.asked().is_empty());
    assert_eq!(cache.files(), [NAME]);
}

#[test]
fn a_part_of_what_is_gone_goes_too() {
    let server = Server::new(|number, _, out| match number {
        0 => half(out, &table(ID, 1000), "\"v1\""),
        _ => whole(out, 404, "", b""),
    });
    let cache = Cache::new();
    assert!(cache.fetch(&downloader(quick()), &server.url).is_err());
    assert_eq!(cache.files().len(), 2);
    assert_eq!(cache.fetch(&downloader(quick()), &server.url), Ok(None));
    assert_eq!(cache.files(), [""; 0]);
}

#[test]
fn a_part_that_another_process_writes_is_left_alone() {
    let content = table(ID, 1000);
    let body = content.clone();
    let server = Server::new(move |_, _, out| whole(out, 200, "", &body));
    let cache = Cache::new();
    let url = url::server(&server.url).unwrap();
    let mut other = Partial::new(&cache.target(), &url).unwrap();
    other.begin(Some(9), None).unwrap();
    other.file().write_all(b"123").unwrap();
    assert_eq!(cache.fetch(&downloader(quick()), &server.url), Ok(Some(cache.target())));
    assert_eq!(fs::read(cache.target()).unwrap(), content);
    assert_eq!(part(&cache), 3);
    drop(other);
    // Whoever comes later sees that the file is there.
    assert_eq!(cache.fetch(&downloader(quick()), &server.url), Ok(Some(cache.target())));
}
