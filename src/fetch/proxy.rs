//! Proxies, as the environment names them.

use std::net::IpAddr;

use ipnet::IpNet;
use ureq::Proxy;
use ureq::http::Uri;

/// Through which proxy what goes.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
    /// Hosts, domains and networks that are reached directly.
    direct: Vec<String>,
}

/// A proxy of the environment cannot be used. What it is set to can hold a password, and is not repeated.
#[derive(Debug, thiserror::Error)]
#[error("the variable `{0}` of the environment does not name a proxy, such as http://proxy.example:3128")]
pub struct ProxyError(String);

impl Proxies {
    /// Those of `https_proxy`, `http_proxy`, `all_proxy` and `no_proxy`, in lower case before upper case. `HTTP_PROXY` in
    /// upper case is not read, as a server that runs programs sets it from a header of its clients.
    pub fn from_environment(read: impl Fn(&str) -> Option<String>) -> Result<Self, ProxyError> {
        let first = |names: &[&str]| {
            let set = names.iter().find_map(|name| Some((*name, read(name).filter(|value| !value.is_empty())?)));
            let proxy = set.map(|(name, value)| Proxy::new(&value).map_err(|_| ProxyError(name.to_owned())));
            proxy.transpose()
        };
        let direct = ["no_proxy", "NO_PROXY"].iter().find_map(|name| read(name)).unwrap_or_default();
        let entries = direct.split([',', ' ']).map(|entry| entry.trim().to_ascii_lowercase());
        Ok(Self {
            http: first(&["http_proxy", "all_proxy", "ALL_PROXY"])?,
            https: first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])?,
            direct: entries.filter(|entry| !entry.is_empty()).collect(),
        })
    }

    /// The proxy for an address, if it is not reached directly.
    pub(super) fn of(&self, uri: &Uri) -> Option<Proxy> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
        if self.is_direct(&host) {
            return None;
        }
        if uri.scheme_str() == Some("https") { self.https.clone() } else { self.http.clone() }
    }

    fn is_direct(&self, host: &str) -> bool {
        let ip = host.parse::<IpAddr>().ok();
        self.direct.iter().any(|entry| {
            let domain = entry.trim_start_matches('*').trim_start_matches('.');
            let is_within = |network: IpNet| ip.is_some_and(|ip| network.contains(&ip));
            entry == "*"
                || entry.parse::<IpNet>().is_ok_and(is_within)
                || (!domain.is_empty()
                    && (host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_proxies() {
        let read = |name: &str| match name {
            "https_proxy" => Some("http://user:secret@proxy.example:3128".to_owned()),
            "HTTP_PROXY" => Some("http://evil.example".to_owned()),
            "no_proxy" => Some("localhost, .intra.example,10.0.0.0/8".to_owned()),
            _ => None,
        };
        let proxies = Proxies::from_environment(read).unwrap();
        let host = |url: &str| proxies.of(&url.parse().unwrap()).map(|proxy| proxy.host().to_owned());
        assert_eq!(host("https://db.example/x").as_deref(), Some("proxy.example"));
        for direct in ["http://db.example/", "https://a.intra.example/", "https://intra.example/", "https://10.1.2.3/"]
        {
            assert_eq!(host(direct), None, "{direct}");
        }
        assert!(host("https://notintra.example/").is_some());
        let error = Proxies::from_environment(|_| Some("http://user:secret@".to_owned())).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
