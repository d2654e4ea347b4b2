//! The operation and the arguments of a verb.

use serde_json::Value;

use super::verbs::settings;

/// One call of the admin API: an operation of its description, with values for the parameters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    /// Id of the operation, such as `room_close`.
    pub(crate) operation: &'static str,
    /// Values of the parameters in the path.
    pub(crate) path: Vec<(&'static str, String)>,
    /// Parameters of the query.
    pub(crate) query: Vec<(&'static str, String)>,
    /// JSON body; `None` for none.
    pub(crate) body: Option<Value>,
    /// Id of the gateway that is asked; `None` for the process of the admin URL.
    pub(crate) gateway: Option<String>,
    /// Part of the answer that is printed; `None` for the whole.
    pub(crate) view: Option<View>,
    /// Whether the answer is a file of any length, which is copied to standard output as it arrives.
    pub(crate) is_file: bool,
}

/// Part of an answer: the rows of a list whose field has a value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct View {
    /// Name of the verb, instead of the operation's.
    pub(crate) name: &'static str,
    /// Field of the answer with the list.
    pub(crate) rows: &'static str,
    /// Field of a row that is compared.
    pub(crate) field: &'static str,
    /// Value of the rows that are printed.
    pub(crate) value: String,
}

impl Call {
    pub(super) fn new(operation: &'static str) -> Call {
        Call {
            operation,
            path: Vec::new(),
            query: Vec::new(),
            body: None,
            gateway: None,
            view: None,
            is_file: false,
        }
    }

    pub(super) fn path(mut self, name: &'static str, value: &(impl ToString + ?Sized)) -> Call {
        self.path.push((name, value.to_string()));
        self
    }

    pub(super) fn query(mut self, name: &'static str, value: Option<impl ToString>) -> Call {
        self.query.extend(value.map(|value| (name, value.to_string())));
        self
    }

    pub(super) fn body(mut self, body: Value) -> Call {
        self.body = Some(body);
        self
    }

    pub(super) fn at(mut self, gateway: Option<&String>) -> Call {
        self.gateway = gateway.cloned();
        self
    }

    pub(super) fn only(
        mut self,
        name: &'static str,
        rows: &'static str,
        field: &'static str,
        value: &(impl ToString + ?Sized),
    ) -> Call {
        self.view = Some(View { name, rows, field, value: value.to_string() });
        self
    }

    /// Returns the reading call that shows what this call would change; `None` when there is none.
    pub(crate) fn current(&self) -> Option<Call> {
        let value_of =
            |name: &str| self.path.iter().find(|(of, _)| *of == name).map(|(_, value)| value.clone());
        let user = || self.body.as_ref().and_then(|body| body["user"].as_str()).unwrap_or_default();
        let room = || value_of("room").unwrap_or_default();
        Some(match self.operation {
            "room_set" | "room_close" | "room_mute_all" | "room_slow_mode" => settings(&room()),
            "user_mute" | "user_unmute" | "user_kick" | "user_unkick" => Call::new("user_restrictions")
                .path("room", &room())
                .query("limit", Some(1_000))
                .only("user_restrictions", "restrictions", "user", user()),
            "switch_set" => Call::new("switch_list").only(
                "switch_list",
                "switches",
                "name",
                &value_of("name").unwrap_or_default(),
            ),
            "gateway_drain" | "gateway_undrain" | "gateway_give_back" => {
                Call::new("gateway_show").at(self.gateway.as_ref())
            }
            "gateway_set_factors" => Call::new("gateway_factors"),
            "review_decide" | "review_set_fallback" => Call::new("review_list").path("room", &room()),
            "review_decide_media" | "review_lift_media" => Call::new("review_list_media"),
            "words_set" => Call::new("words_show").path("room", &room()),
            "emote_import" | "emote_put" | "emote_remove" => Call::new("emote_show").path("room", &room()),
            "trace_set" => Call::new("trace_show"),
            "partitions_set" => Call::new("partitions_show"),
            "webhook_replay" | "webhook_enable" => {
                let endpoint = value_of("endpoint").unwrap_or_default();
                Call::new("webhook_list").only("webhook_list", "endpoints", "name", &endpoint)
            }
            "prewarm_add" | "prewarm_delete" => Call::new("prewarm_list"),
            "poll_open" | "poll_close" => Call::new("poll_list").path("room", &room()),
            _ => return None,
        })
    }
}
