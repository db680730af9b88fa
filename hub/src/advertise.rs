//! The address that goes into tokens: where children will call this hub, as they see it.
//! Invariant: a token never names an address that no other computer can call (0.0.0.0), or one without TLS.

use std::net::{SocketAddr, ToSocketAddrs};

/// Whether children can be sent to an address.
///
/// # Errors
/// Says what is wrong with it, and how it should be written.
pub fn check(address: &str) -> Result<(), String> {
    let wrong = |why: &str| {
        Err(format!("advertise {address}：{why}，请写成 https://主机名或IP:端口 (write it as https://host:port)"))
    };
    let Some(place) = address.strip_prefix("https://") else {
        return wrong("须以 https:// 开头 (must begin with https://)");
    };
    let place = place.strip_suffix('/').unwrap_or(place);
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() => (host.trim_matches(['[', ']']), port),
        _ => return wrong("没有端口 (no port)"),
    };
    if !port.parse::<u16>().is_ok_and(|port| port > 0) {
        return wrong("端口有误 (not a port)");
    }
    if host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_unspecified()) {
        return wrong("其他电脑无法连接此地址 (no other computer can call it)");
    }
    if host.is_empty() || host.chars().any(|one| one.is_whitespace() || "/?#@".contains(one)) {
        return wrong("主机名有误 (not a host)");
    }
    Ok(())
}

/// The address of a hub that listens on one of this computer's own, or on all of them under a name that can be resolved.
pub fn derived(listen: SocketAddr) -> Option<String> {
    if listen.port() == 0 {
        return None;
    }
    if !listen.ip().is_unspecified() {
        return Some(format!("https://{listen}"));
    }
    let name = host_name().filter(|name| !name.is_empty())?;
    let known = (name.as_str(), listen.port()).to_socket_addrs().ok()?.next().is_some();
    known.then(|| format!("https://{name}:{}", listen.port()))
}

/// Port of a hub where nothing else is said.
const PORT: u16 = 7201;

/// Where a hub listens when it is not said: at every address of this computer, at the port by which children call it.
pub fn listening(advertise: Option<&str>) -> SocketAddr {
    let port = advertise.and_then(|address| address.trim_end_matches('/').rsplit_once(':')?.1.parse().ok());
    SocketAddr::from(([0, 0, 0, 0], port.filter(|port| *port > 0).unwrap_or(PORT)))
}

fn host_name() -> Option<String> {
    #[cfg(unix)]
    {
        rustix::system::uname().nodename().to_str().ok().map(str::to_owned)
    }
    #[cfg(not(unix))]
    {
        std::env::var("COMPUTERNAME").ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_others_can_call_with_tls_is_taken() {
        for good in ["https://city.example:7201", "https://10.1.2.3:7201", "https://[fd00::1]:7201", "https://h:1/"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for wrong in [
            "http://city.example:7201",
            "city.example:7201",
            "https://city.example",
            "https://:7201",
            "https://0.0.0.0:7201",
            "https://[::]:7201",
            "https://city:0",
            "https://city:99999",
            "https://ci ty:7201",
            "https://user@city:7201",
            "",
        ] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_hub_listens_where_its_children_call() {
        assert_eq!(listening(Some("https://xinfu.example:7202/")).to_string(), "0.0.0.0:7202");
        assert_eq!(listening(Some("https://xinfu.example")).port(), PORT);
        assert_eq!(listening(None).port(), PORT);
    }

    #[test]
    fn an_address_of_this_computer_is_taken_as_it_is() {
        assert_eq!(derived(SocketAddr::from(([10, 1, 2, 3], 7201))).as_deref(), Some("https://10.1.2.3:7201"));
        assert_eq!(derived(SocketAddr::from(([127, 0, 0, 1], 0))), None);
        assert!(derived(SocketAddr::from(([0, 0, 0, 0], 7201))).is_none_or(|address| check(&address).is_ok()));
    }
}
