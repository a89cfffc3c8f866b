//! Servers that lie.

use super::server::head;
use super::*;
use std::time::Instant;

/// Writes until the client has enough.
fn endless(out: &mut dyn Write) -> std::io::Result<()> {
    loop {
        out.write_all(&[b'a'; 4096])?;
    }
}

#[test]
fn symbols_of_another_image_are_not_kept() {
    let server = Server::new(|_, _, out| whole(out, 200, "", &table(OTHER, 1000)));
    let cache = Cache::new();
    let place = server.url.replace("/store", &path_of(NAME));
    let error = SymbolError::Mismatch { place, wanted: ID, found: OTHER };
    assert_eq!(cache.fetch(&downloader(quick()), &server.url), Err(error.clone()));
    assert!(error.to_string().contains(&ID.to_string()) && error.to_string().contains(&OTHER.to_string()));
    assert_eq!(cache.files(), [""; 0]);
}

#[test]
fn what_is_no_symbol_file_is_not_kept() {
    // The page of a hotel's network; a cut file whose length was not told; nothing at all.
    let bodies = [b"<html>Welcome!</html>".to_vec(), table(ID, 1000)[..500].to_vec(), Vec::new()];
    for body in bodies {
        let server = Server::new(move |_, _, out| {
            head(out, 200, None, "")?;
            out.write_all(&body)
        });
        let cache = Cache::new();
        let error = message(cache.fetch(&downloader(quick()), &server.url));
        assert_eq!(error, "the server gives something that is no symbol file");
        assert_eq!(cache.files(), [""; 0]);
    }
}

#[test]
fn a_body_without_end_is_stopped() {
    let limited = || downloader(Options { limit: 1 << 20, ..quick() });
    let open = Server::new(|_, _, out| head(out, 200, None, "").and_then(|()| endless(out)));
    let chunked = Server::new(|_, _, out| {
        head(out, 200, None, "Transfer-Encoding: chunked\r\n")?;
        loop {
            out.write_all(b"1000\r\n")?;
            out.write_all(&[b'a'; 0x1000])?;
            out.write_all(b"\r\n")?;
        }
    });
    for server in [open, chunked] {
        let cache = Cache::new();
        assert_eq!(message(cache.fetch(&limited(), &server.url)), "more than 1048576 bytes");
        let left: u64 =
            fs::read_dir(cache.folder()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
        assert!(left < 1000, "{left} bytes are left");
    }
    // One that tells is not begun.
    let told = Server::new(|_, _, out| head(out, 200, Some(1 << 40), "").and_then(|()| endless(out)));
    assert_eq!(message(Cache::new().fetch(&limited(), &told.url)), "more than 1048576 bytes");
}

#[test]
fn a_continued_body_without_end_is_stopped_too() {
    let body = table(ID, 1 << 19);
    let server = Server::new(move |number, request, out| match (number, request.header("range")) {
        (0, _) => {
            head(out, 200, Some(1 << 20), "")?;
            out.write_all(&body)
        }
        (_, range) => {
            let range = range.unwrap_or("bytes=0-").replace('=', " ");
            head(out, 206, None, &format!("Content-Range: {range}1048575/1048576\r\n"))?;
            endless(out)
        }
    });
    let cache = Cache::new();
    let limited = downloader(Options { limit: 1 << 20, retries: 1, ..quick() });
    assert_eq!(message(cache.fetch(&limited, &server.url)), "more than 1048576 bytes");
}

#[test]
fn a_length_that_is_too_short_gives_no_file() {
    let server = Server::new(|_, _, out| {
        head(out, 200, Some(100), "")?;
        out.write_all(&table(ID, 1000))
    });
    let cache = Cache::new();
    assert_eq!(
        message(cache.fetch(&downloader(quick()), &server.url)),
        "the server gives something that is no symbol file"
    );
    assert_eq!(cache.files(), [""; 0]);
}

#[test]
fn circles_of_redirects_end() {
    let server = Server::new(|_, request, out| whole(out, 301, &format!("Location: {}x\r\n", request.path), b""));
    assert_eq!(message(Cache::new().fetch(&downloader(quick()), &server.url)), "more than 5 redirects");
    assert_eq!(server.asked().len(), 6);
    let nowhere = Server::new(|_, _, out| whole(out, 302, "", b""));
    assert_eq!(message(Cache::new().fetch(&downloader(quick()), &nowhere.url)), "a redirect without a place to go to");
    let file = Server::new(|_, _, out| whole(out, 302, "Location: file:///etc/passwd\r\n", b""));
    assert!(Cache::new().fetch(&downloader(quick()), &file.url).is_err());
}

#[test]
fn a_server_that_falls_silent_is_left() {
    let impatient = || downloader(Options { idle: Duration::from_millis(200), ..quick() });
    let wait = || std::thread::sleep(Duration::from_secs(20));
    let at_once = Server::new(move |_, _, _| {
        wait();
        Ok(())
    });
    let later = Server::new(move |_, _, out| {
        head(out, 200, Some(10_000), "")?;
        out.write_all(&[b'a'; 5000])?;
        out.flush()?;
        wait();
        Ok(())
    });
    for (server, expected) in [
        (at_once, "nothing came for 0.2 s"),
        (later, "nothing came for 0.2 s; 5000 bytes are kept, and the next run goes on from there"),
    ] {
        let start = Instant::now();
        assert_eq!(message(Cache::new().fetch(&impatient(), &server.url)), expected);
        assert!(start.elapsed() < Duration::from_secs(10));
    }
    // One that is slow is not left, however long it takes.
    let slow = Server::new(|_, _, out| {
        let body = table(ID, 100);
        head(out, 200, Some(body.len()), "")?;
        for chunk in body.chunks(body.len() / 8) {
            out.write_all(chunk)?;
            out.flush()?;
            std::thread::sleep(Duration::from_millis(60));
        }
        Ok(())
    });
    let cache = Cache::new();
    assert_eq!(cache.fetch(&impatient(), &slow.url), Ok(Some(cache.target())));
}

#[test]
fn what_is_no_http_is_an_error() {
    let answers: [&[u8]; 4] = [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 99999 x\r\n\r\n", &[0xff; 10_000]];
    for answer in answers {
        let server = Server::new(move |_, _, out| out.write_all(answer));
        assert!(Cache::new().fetch(&downloader(quick()), &server.url).is_err());
    }
    // Nobody is there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert!(Cache::new().fetch(&downloader(quick()), &format!("http://127.0.0.1:{port}")).is_err());
}

#[test]
fn servers_that_are_no_urls_are_not_asked() {
    for server in ["ftp://h", "/x", "https://me:secret@h/x", ""] {
        let error = Cache::new().fetch(&downloader(quick()), server).unwrap_err();
        assert!(matches!(error, SymbolError::Download { .. }), "{error}");
    }
}
