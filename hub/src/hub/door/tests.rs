use super::*;
use std::net::{IpAddr, Ipv4Addr};

fn address(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
}

fn book(strangers: usize, of_address: usize) -> Arc<Book> {
    let limits = Limits { strangers, of_address, known: 3, of_certificate: 2, ..Limits::under(1_024) };
    Arc::new(Book::new(limits))
}

#[test]
fn the_oldest_stranger_of_a_crowded_address_makes_way() {
    let book = book(4, 2);
    let (_first, mut first) = book.stranger(address(1));
    let (_second, mut second) = book.stranger(address(1));
    let (_other, mut other) = book.stranger(address(2));
    let (_third, _heard) = book.stranger(address(1));
    assert!(first.try_recv().is_err_and(|error| error == oneshot_closed()), "the oldest was told");
    assert!(second.try_recv().is_err_and(|error| error != oneshot_closed()));
    let (_fourth, _heard) = book.stranger(address(3));
    let (_fifth, _heard) = book.stranger(address(4));
    // Full in all: it is the address with the most that makes way, not the one that came first.
    assert!(second.try_recv().is_err_and(|error| error == oneshot_closed()));
    assert!(other.try_recv().is_err_and(|error| error != oneshot_closed()));
    assert_eq!((book.open_lines(), book.refused()), ((0, 4), 2));
}

#[test]
fn addresses_of_one_network_of_ipv6_are_one() {
    let book = book(8, 2);
    let of = |text: &str| text.parse::<IpAddr>().unwrap();
    let (_first, mut first) = book.stranger(of("2001:db8:1:2::1"));
    let (_second, mut second) = book.stranger(of("2001:db8:1:3::1"));
    let held: Vec<_> = ["2001:db8:1:2:ffff::7", "2001:db8:1:2::8"].map(|one| book.stranger(of(one))).into();
    assert!(first.try_recv().is_err_and(|error| error == oneshot_closed()), "the third of one network");
    assert!(second.try_recv().is_err_and(|error| error != oneshot_closed()), "another network's");
    // An IPv4 address is the same one however it is written.
    let (_fourth, mut fourth) = book.stranger(of("::ffff:10.0.0.9"));
    let _more: Vec<_> = (0..2).map(|_| book.stranger(address(9))).collect();
    assert!(fourth.try_recv().is_err_and(|error| error == oneshot_closed()));
    drop(held);
}

fn oneshot_closed() -> tokio::sync::oneshot::error::TryRecvError {
    tokio::sync::oneshot::error::TryRecvError::Closed
}

#[test]
fn lines_with_a_certificate_count_against_it_and_not_against_their_address() {
    let book = book(4, 2);
    let mut places: Vec<_> = (0..2).map(|_| book.stranger(address(1)).0).collect();
    for place in &mut places {
        place.becomes_known([1; 32]).unwrap();
    }
    assert_eq!(book.open_lines(), (2, 0));
    let mut third = book.stranger(address(1)).0;
    assert!(matches!(third.becomes_known([1; 32]), Err(Refused::Certificate)));
    third.becomes_known([2; 32]).unwrap();
    let mut fourth = book.stranger(address(1)).0;
    assert!(matches!(fourth.becomes_known([3; 32]), Err(Refused::Full)));
    drop((places, third, fourth));
    assert_eq!((book.open_lines(), book.refused()), ((0, 0), 0));
}

#[test]
fn there_is_always_room_left_for_the_store() {
    for files in [256, 1_024, 4_096, 1 << 20, u64::MAX] {
        let limits = Limits::under(files);
        assert!(limits.known >= 16 && limits.strangers >= 16);
        assert!(files < 1_024 || (limits.known + limits.strangers) as u64 + RESERVED_FILES <= files, "{files}");
    }
}
