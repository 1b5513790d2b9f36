//! A bucket that goes out of reach in the middle of the work, and comes back.

use std::io::Write;

use crate::proxy::Proxy;
use crate::s3_servers::MINISTACK;
use crate::workplace::{Answer, Workplace, answer, run, spawn_piped};

fn event(number: u64) -> String {
    format!("{{\"key\":\"k{number:04}\",\"value\":\"v\",\"timestamp\":{}}}\n", number + 1)
}

#[test]
fn writes_go_on_while_the_bucket_is_out_of_reach() {
    let place = Workplace::new();
    let proxy = Proxy::to(&MINISTACK.endpoint());
    let url = format!("s3://{}/p", MINISTACK.bucket(&place));
    let on = |data: &str, arguments: &[&str]| -> Answer {
        let settings = ["--format", "json", "--data", data, "--bucket", &url];
        let mut command = place.command(&[&settings, arguments].concat());
        MINISTACK.name_in_environment(&mut command, &proxy.endpoint());
        run(&mut command)
    };
    // An import of nothing makes the database, and no commit that later ones would be older than.
    place.write("empty.jsonl", "");
    on("one", &["import", "jsonl", "empty.jsonl", "main", "--create"]).done();
    let import = ["--data", "one", "import", "jsonl", "-", "main", "--create", "--protect", "1d"];
    let mut command = place.command(&import);
    MINISTACK.name_in_environment(&mut command, &proxy.endpoint());
    let mut child = spawn_piped(&mut command);
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(event(0).as_bytes()).expect("the binary reads");
    // More than a pipe holds: once it is written, the database is open.
    stdin.write_all(&vec![b'\n'; 1 << 20]).expect("the binary reads");
    proxy.cut();
    for number in 1..3_000 {
        stdin.write_all(event(number).as_bytes()).expect("the binary reads on");
    }
    drop(stdin);
    let cut_off = answer(&command, child.wait_with_output().expect("it ends"));
    cut_off
        .refused(4, &["everything is imported and safe", "the bucket did not", "`foldback seal`"]);
    let says =
        ["the bucket did not", "acknowledged are as safe as before", "run the command again"];
    on("one", &["seal"]).refused(4, &says);

    proxy.mend();
    assert_eq!(on("one", &["scan", "main"]).done().records().len(), 3_000);
    let sealed = on("one", &["seal"]).done().record();
    let status = on("one", &["status"]).done().record();
    assert_eq!(status["unsealed_commits"], 0);
    assert_eq!(status["last_seq"], sealed["sealed_seq"]);
    on("two", &["recover"]).done();
    assert_eq!(on("two", &["scan", "main"]).done().records().len(), 3_000);
}
