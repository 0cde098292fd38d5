//! Lists: filters, pages, and servers that ignore both.

use cloudflare_access_simulator::{ListBehaviour, Simulator};
use serde_json::{Value, json};

use crate::client::Client;

fn names(result: &Value) -> Vec<&str> {
    result.as_array().expect("a list").iter().map(|token| token["name"].as_str().expect("a name")).collect()
}

#[tokio::test]
async fn a_list_is_in_the_order_of_creation_and_counts_what_it_has() {
    let simulator = Simulator::start().await.expect("a simulator");
    let client = Client::new(&simulator);
    for scope in [simulator.account(), simulator.zone()] {
        let empty = client.list(scope, "").await.json();
        let info = json!({"page": 1, "per_page": 1000, "count": 0, "total_count": 0, "total_pages": 0});
        assert_eq!((&empty["result"], &empty["result_info"]), (&json!([]), &info));
        simulator.add_tokens(scope, 3);
        let full = client.list(scope, "").await.json();
        assert_eq!(names(&full["result"]), ["token 1", "token 2", "token 3"]);
        let info = json!({"page": 1, "per_page": 1000, "count": 3, "total_count": 3, "total_pages": 1});
        assert_eq!(full["result_info"], info);
    }
}

#[tokio::test]
async fn a_name_matches_exactly_and_a_search_anywhere() {
    let simulator = Simulator::start().await.expect("a simulator");
    let (client, account) = (Client::new(&simulator), simulator.account());
    for name in ["deploy", "Deploy", "deploy-eu", "a&b=c d"] {
        let _ = simulator.add_token(account, name);
    }
    let token = simulator.add_token(account, "plain").token;
    let cases = [
        ("?name=deploy".to_owned(), vec!["deploy"]),
        ("?name=a%26b%3Dc+d".to_owned(), vec!["a&b=c d"]),
        ("?name=nobody".to_owned(), vec![]),
        ("?search=DEPLOY".to_owned(), vec!["deploy", "Deploy", "deploy-eu"]),
        ("?search=deploy&name=deploy-eu".to_owned(), vec!["deploy-eu"]),
        (format!("?search={}", &token.id[2..30]), vec!["plain"]),
        (format!("?search={}", &token.client_id[2..30]), vec!["plain"]),
        ("?unknown=1".to_owned(), vec!["deploy", "Deploy", "deploy-eu", "a&b=c d", "plain"]),
    ];
    for (query, expected) in cases {
        assert_eq!(names(&client.list(account, &query).await.result()), expected, "{query}");
    }
}

#[tokio::test]
async fn pages_cut_the_list_and_say_where_they_are() {
    let simulator = Simulator::builder().default_per_page(4).start().await.expect("a simulator");
    let (client, account) = (Client::new(&simulator), simulator.account());
    simulator.add_tokens(account, 5);
    let cases = [
        ("?page=2&per_page=2", json!([2, 2, 2, 5, 3]), vec!["token 3", "token 4"]),
        ("?page=3&per_page=2", json!([3, 2, 1, 5, 3]), vec!["token 5"]),
        ("?page=4&per_page=2", json!([4, 2, 0, 5, 3]), vec![]),
        ("?page=2", json!([2, 4, 1, 5, 2]), vec!["token 5"]),
        ("?page=0&per_page=0", json!([1, 4, 4, 5, 2]), vec!["token 1", "token 2", "token 3", "token 4"]),
        ("?page=2&per_page=5000", json!([2, 1000, 0, 5, 1]), vec![]),
        ("?page=18446744073709551615", json!([u64::MAX, 4, 0, 5, 2]), vec![]),
        ("?search=token+5&per_page=1", json!([1, 1, 1, 1, 1]), vec!["token 5"]),
    ];
    for (query, numbers, expected) in cases {
        let answer = client.list(account, query).await.json();
        let info = &answer["result_info"];
        let found = ["page", "per_page", "count", "total_count", "total_pages"].map(|field| &info[field]);
        assert_eq!((json!(found), names(&answer["result"])), (numbers, expected), "{query}");
    }
    for query in ["?page=x", "?per_page=-1", "?page="] {
        assert_eq!(client.list(account, query).await.failure(), (400, 12130), "{query}");
    }
}

#[tokio::test]
async fn an_account_may_ignore_the_page_and_a_zone_ignores_the_whole_query() {
    let build = Simulator::builder().default_per_page(2).account_lists(ListBehaviour::PageIgnored);
    let simulator = build.start().await.expect("a simulator");
    let client = Client::new(&simulator);
    for (scope, count) in [(simulator.account(), 3), (simulator.zone(), 2)] {
        simulator.add_tokens(scope, 5);
        let answer = client.list(scope, "?page=2&per_page=3").await.json();
        assert_eq!(answer["result"].as_array().map(Vec::len), Some(count));
        assert_eq!(answer["result"][0]["name"], "token 1");
        assert_eq!(answer["result_info"]["page"], 1);
    }
    assert_eq!(client.list(simulator.zone(), "?name=nobody&page=x").await.result().as_array().map(Vec::len), Some(2));
}
