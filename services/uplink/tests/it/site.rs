//! An uplink on a free port, with clients of all roles.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{Bus, BusConfig, BusMetrics, Change, EmbeddedBus, RangeLimits, RoomPatch, Topic};
use barrage_counters::{LocalQuota, LocalQuotaConfig, LocalQuotaMetrics, Pages, Quota};
use barrage_guarded::BreakerMetrics;
use barrage_http::{AdminGate, AuditSink, Front, HttpConfig, HttpMetrics};
use barrage_ledger::Ledger;
use barrage_moderation::{ModerationConfig, ModerationMetrics, Moderator};
use barrage_protocol::{Message, RoomId, Sequence};
use barrage_store::{MeasuredStore, SqliteConfig, SqliteStore, Store, StoreMetrics};
use barrage_token::{AddressKeys, Claims, Keyring, Revocations, Role, Rooms, TokenConfig};
use barrage_trace::Tracer;
use barrage_uplink::{
    AccountNames, AccountParts, AccountsConfig, Parts, Uplink, UplinkConfig, UplinkMetrics, account_router,
    admin_router, guest_router, router,
};
use prometheus::Registry;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Maximum wait for an event.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Site {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) store: Arc<dyn Store>,
    /// Secrets of references to media.
    pub(crate) media: Arc<AddressKeys>,
    address: SocketAddr,
    keyring: Arc<Keyring>,
    registry: Registry,
    http: reqwest::Client,
    // Ends the server before the folder goes.
    _shutdown: DropGuard,
    _folder: Arc<tempfile::TempDir>,
}

impl Site {
    /// Starts an uplink with the room `demo`.
    pub(crate) async fn start(config: UplinkConfig) -> Self {
        Site::with_moderation(config, ModerationConfig::default()).await
    }

    /// Starts an uplink with accounts and rules of moderation, and the room `demo`.
    pub(crate) async fn with_accounts(accounts: AccountsConfig, moderation: ModerationConfig) -> Self {
        Site::with(UplinkConfig::default(), moderation, accounts).await
    }

    /// Starts an uplink with rules of moderation, and the room `demo`.
    pub(crate) async fn with_moderation(config: UplinkConfig, moderation: ModerationConfig) -> Self {
        Site::with(config, moderation, AccountsConfig::default()).await
    }

    async fn with(config: UplinkConfig, moderation: ModerationConfig, accounts: AccountsConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::new();
        let file = EmbeddedBus::file(folder.path());
        let metrics = BusMetrics::new(&registry).unwrap();
        let bus: Arc<dyn Bus> = EmbeddedBus::open(&file, BusConfig::default(), metrics).unwrap();
        let ensure = RoomPatch::Ensure { title: "Demo".into() };
        bus.change(Change::Patch(room(), ensure)).await.unwrap();
        let store = SqliteStore::open(&folder.path().join("store.sqlite"), &SqliteConfig::default()).await;
        let metrics = StoreMetrics::new(&registry).unwrap();
        let store: Arc<dyn Store> = Arc::new(MeasuredStore::new(Arc::new(store.unwrap()), metrics));
        Self::serve(bus, store, Arc::new(folder), registry, config, (moderation, accounts), None)
    }

    /// Starts another uplink on the same bus and store.
    pub(crate) fn start_beside(&self, config: UplinkConfig) -> Self {
        let (bus, store, folder) =
            (Arc::clone(&self.bus), Arc::clone(&self.store), Arc::clone(&self._folder));
        Self::serve(bus, store, folder, Registry::new(), config, Default::default(), None)
    }

    /// Starts another uplink on the same bus and store, which shares pages of histories.
    pub(crate) fn start_sharing(&self, pages: Arc<dyn Pages>) -> Self {
        let (bus, store, folder) =
            (Arc::clone(&self.bus), Arc::clone(&self.store), Arc::clone(&self._folder));
        let config = UplinkConfig::default();
        Self::serve(bus, store, folder, Registry::new(), config, Default::default(), Some(pages))
    }

    fn serve(
        bus: Arc<dyn Bus>,
        store: Arc<dyn Store>,
        folder: Arc<tempfile::TempDir>,
        registry: Registry,
        config: UplinkConfig,
        (moderation, accounts): (ModerationConfig, AccountsConfig),
        pages: Option<Arc<dyn Pages>>,
    ) -> Self {
        let keyring = Arc::new(Keyring::from_secret(&[7; 32], &TokenConfig::default()).unwrap());
        let metrics = LocalQuotaMetrics::new(&registry).unwrap();
        let quota: Arc<dyn Quota> = Arc::new(LocalQuota::new(&LocalQuotaConfig::default(), metrics));
        let breakers = BreakerMetrics::new(&registry).unwrap();
        let metrics = ModerationMetrics::new(&registry).unwrap();
        let moderator = Arc::new(Moderator::new(moderation, metrics, &breakers).unwrap());
        let metrics = UplinkMetrics::new(&registry).unwrap();
        let names = AccountNames::new(Arc::clone(&store), &accounts, &metrics);
        let account_parts = AccountParts {
            store: Arc::clone(&store),
            keyring: Arc::clone(&keyring),
            quota: Arc::clone(&quota),
            moderator: Arc::clone(&moderator),
            metrics: metrics.clone(),
            names: names.clone(),
        };
        let accounts = account_router(account_parts, accounts).unwrap();
        let media = addresses(folder.path());
        let parts = Parts {
            inbox: None,
            media: Some(Arc::clone(&media)),
            bus: Arc::clone(&bus),
            store: Arc::clone(&store),
            keyring: Arc::clone(&keyring),
            quota,
            moderator,
            ledger: Ledger::new(&registry).unwrap(),
            anonymous: false,
            tracer: Tracer::default(),
            pages,
            names: names.clone(),
        };
        let guests = guest_router(Arc::clone(&keyring), names, &config, true);
        let uplink = Uplink::new(parts, config, metrics).unwrap();
        let shutdown = CancellationToken::new();
        let (running, stop) = (Arc::clone(&uplink), shutdown.clone());
        tokio::spawn(async move { running.run(stop).await });
        let audit = Arc::clone(&uplink) as Arc<dyn AuditSink>;
        let gate = AdminGate::new(Arc::clone(&keyring), audit, &registry).unwrap();
        let routes = router(&uplink).merge(guests).merge(accounts).merge(gate.guard(admin_router(&uplink)));
        let listener = barrage_http::listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let front = Front {
            metrics: Some(HttpMetrics::new(&registry).unwrap()),
            direct: Some(barrage_uplink::direct_route(&uplink)),
            ..Front::default()
        };
        let (http, stop) = (HttpConfig::default(), shutdown.clone());
        tokio::spawn(async move {
            barrage_http::serve_public(vec![listener], routes, front, http, stop).await.unwrap();
        });
        barrage_testkit::ClientTls::make_ring_default();
        let http = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        let _shutdown = shutdown.drop_guard();
        Site { bus, store, media, address, keyring, registry, http, _shutdown, _folder: folder }
    }

    pub(crate) fn token(&self, user: &str, role: Role) -> String {
        self.token_with(user, role, Value::Null)
    }

    /// Returns a token with these attributes; `null` for none.
    pub(crate) fn token_with(&self, user: &str, role: Role, attrs: Value) -> String {
        let claims = Claims {
            sub: user.parse().unwrap(),
            name: Some(user.into()),
            rooms: Rooms(vec!["*".into()]),
            role,
            exp: u64::from(u32::MAX),
            nbf: None,
            attrs: serde_json::from_value(attrs).unwrap(),
            aud: String::new(),
        };
        self.keyring.mint(claims).unwrap()
    }

    /// Sends a request with the token of a user of this role, and returns status and JSON body.
    pub(crate) async fn call(
        &self,
        (user, role): (&str, Role),
        method: Method,
        path: &str,
        body: Value,
    ) -> (StatusCode, Value) {
        self.call_with(&self.token(user, role), method, path, body).await
    }

    /// Sends a request with a token, and returns status and JSON body.
    pub(crate) async fn call_with(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Value,
    ) -> (StatusCode, Value) {
        let request = self.http.request(method, self.url(path)).bearer_auth(token);
        let request = if body.is_null() { request } else { request.json(&body) };
        let response = request.send().await.unwrap();
        let status = response.status();
        (status, response.json().await.unwrap_or_default())
    }

    /// Posts bytes with the token of a viewer.
    pub(crate) async fn post_bytes(&self, path: &str, body: Vec<u8>) -> (StatusCode, Vec<u8>) {
        let token = self.token("ann", Role::Viewer);
        let response = self.http.post(self.url(path)).bearer_auth(token).body(body).send().await.unwrap();
        (response.status(), response.bytes().await.unwrap().to_vec())
    }

    /// Posts JSON without a token.
    pub(crate) async fn post_anonymous(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let response = self.http.post(self.url(path)).json(&body).send().await.unwrap();
        let status = response.status();
        (status, response.json().await.unwrap_or_default())
    }

    /// Sends a GET request with a token, and returns the answer, whose body may not have arrived.
    pub(crate) async fn get_response(&self, token: &str, path: &str) -> reqwest::Response {
        self.http.get(self.url(path)).bearer_auth(token).send().await.unwrap()
    }

    /// Sends a GET request without a token.
    pub(crate) async fn get_anonymous(&self, path: &str) -> StatusCode {
        self.http.get(self.url(path)).send().await.unwrap().status()
    }

    /// Returns the JSON of a GET request without a token.
    pub(crate) async fn get_json(&self, path: &str) -> Value {
        self.http.get(self.url(path)).send().await.unwrap().json().await.unwrap()
    }

    /// Gives the revocations of the bus to the keyring, as the process does after each change.
    pub(crate) fn follow_revocations(&self) {
        let settings = self.bus.settings();
        let revocations = settings.borrow().revocations.clone();
        let by_user = revocations.by_user.clone();
        self.keyring.set_revocations(Revocations { by_user, all_before: revocations.all_before });
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns the messages of the room `demo`.
    pub(crate) async fn messages(&self) -> Vec<Arc<Message>> {
        let topic = Topic::Room(room());
        self.bus.range(&topic, Sequence::ZERO, None, RangeLimits::default()).await.unwrap().messages
    }

    /// Returns the number of queries for the history of a room, since the first uplink's start.
    pub(crate) fn history_queries(&self) -> u64 {
        let families = self.registry.gather();
        let calls =
            families.iter().find(|family| family.name() == "barrage_store_call_duration_seconds").unwrap();
        let is_history = |metric: &&prometheus::proto::Metric| {
            metric.get_label().iter().any(|pair| pair.value() == "history")
        };
        calls.get_metric().iter().filter(is_history).map(|it| it.get_histogram().get_sample_count()).sum()
    }

    /// Sends a GET request with a token and one more header.
    pub(crate) async fn get_with(
        &self,
        token: &str,
        path: &str,
        name: &str,
        value: &str,
    ) -> reqwest::Response {
        self.http.get(self.url(path)).bearer_auth(token).header(name, value).send().await.unwrap()
    }

    /// Returns the value of a counter with a label of this value.
    pub(crate) fn counter(&self, name: &str, label: &str) -> f64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name).unwrap();
        let has_label =
            |metric: &&prometheus::proto::Metric| metric.get_label().iter().any(|pair| pair.value() == label);
        family.get_metric().iter().filter(has_label).map(|metric| metric.get_counter().get_value()).sum()
    }
}

pub(crate) fn room() -> RoomId {
    "demo".parse().unwrap()
}

/// Returns secrets of media, which are in the folder.
fn addresses(folder: &std::path::Path) -> Arc<AddressKeys> {
    let file = folder.join("media.key");
    std::fs::write(&file, [7; 32]).unwrap();
    Arc::new(AddressKeys::load(&file, [], 3_600).unwrap())
}
