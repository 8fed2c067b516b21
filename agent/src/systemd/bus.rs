//! systemd over D-Bus: every call of a round is sent before the first answer is awaited.

use super::properties::{Properties, ServiceProperties, tasks};
use anyhow::Context as _;
use cfg_catalog::resource::service::Trigger;
use futures::future::join_all;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use zbus::{Connection, OwnedObjectPath, OwnedVariant};

const MANAGER: &str = "/org/freedesktop/systemd1";
const MANAGER_INTERFACE: &str = "org.freedesktop.systemd1.Manager";
const PATIENCE: Duration = Duration::from_secs(25);

/// A connection to the system bus.
#[derive(Debug)]
pub struct Bus {
    runtime: tokio::runtime::Runtime,
    connection: Connection,
}

impl Bus {
    /// Connects.
    pub fn connect() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start a runtime")?;
        let connect = zbus::connection::Builder::system()
            .method_timeout(PATIENCE)
            .build();
        let connection = aside(&runtime, connect)?.context("cannot connect to the system bus")?;
        Ok(Self {
            runtime,
            connection,
        })
    }

    /// The properties of these units, which systemd loads where it has not yet.
    pub fn properties(&self, units: &[&str]) -> anyhow::Result<BTreeMap<String, Properties>> {
        let asked = join_all(units.iter().map(|unit| self.unit(unit)));
        let all = aside(&self.runtime, asked)?;
        units
            .iter()
            .zip(all)
            .map(|(unit, properties)| {
                let properties =
                    properties.with_context(|| format!("systemd does not say how {unit} is"))?;
                Ok(((*unit).to_owned(), properties))
            })
            .collect()
    }

    async fn unit(&self, unit: &str) -> zbus::Result<Properties> {
        let path = self.manager::<OwnedObjectPath>("LoadUnit", unit).await?;
        let (general, service, file_state) = futures::join!(
            self.all(&path, "Unit"),
            self.all(&path, "Service"),
            self.manager::<String>("GetUnitFileState", unit),
        );
        let general = Answer(general?);
        let id = general.string("Id");
        let mut file_state = file_state.unwrap_or_default();
        if file_state == "alias" && id != unit {
            file_state = self.manager::<String>("GetUnitFileState", &id).await?;
        }
        let service = service
            .ok()
            .map(Answer)
            .filter(|_| unit.ends_with(".service"));
        Ok(Properties {
            id,
            names: general.strings("Names"),
            load_state: general.string("LoadState"),
            active_state: general.string("ActiveState"),
            sub_state: general.string("SubState"),
            // Not the property: systemd remembers that one from its last reload.
            unit_file_state: file_state,
            fragment_path: general.string("FragmentPath"),
            source_path: general.string("SourcePath"),
            invocation: general
                .bytes("InvocationID")
                .map(hex::encode)
                .unwrap_or_default(),
            inactive_exit_us: general.number("InactiveExitTimestamp").unwrap_or(0),
            need_daemon_reload: general.flag("NeedDaemonReload"),
            can_reload: general.flag("CanReload"),
            wanted_by: ["WantedBy", "RequiredBy"]
                .map(|by| general.strings(by))
                .concat(),
            triggered_by: self.triggers(general.strings("TriggeredBy")).await?,
            triggers: match unit.ends_with(".socket") {
                true => self.triggers(general.strings("Triggers")).await?,
                false => Vec::new(),
            },
            service: service.map(|service| ServiceProperties {
                kind: service.string("Type"),
                main_pid: service.get("MainPID").unwrap_or(0),
                remain_after_exit: service.flag("RemainAfterExit"),
                tasks: tasks(
                    service.number("TasksCurrent"),
                    &service.string("ControlGroup"),
                ),
            }),
        })
    }

    async fn triggers(&self, units: Vec<String>) -> zbus::Result<Vec<Trigger>> {
        let asked = units.into_iter().map(async |unit| {
            let path = self.manager::<OwnedObjectPath>("LoadUnit", &unit).await?;
            let general = Answer(self.all(&path, "Unit").await?);
            let active = general.string("ActiveState") == "active";
            zbus::Result::Ok(Trigger { unit, active })
        });
        join_all(asked).await.into_iter().collect()
    }

    async fn manager<T>(&self, method: &str, unit: &str) -> zbus::Result<T>
    where
        T: serde::de::DeserializeOwned + zbus::zvariant::Type,
    {
        let reply = self
            .connection
            .call_method(
                Some("org.freedesktop.systemd1"),
                MANAGER,
                Some(MANAGER_INTERFACE),
                method,
                &unit,
            )
            .await?;
        reply.body().deserialize()
    }

    async fn all(
        &self,
        path: &OwnedObjectPath,
        interface: &str,
    ) -> zbus::Result<HashMap<String, OwnedVariant>> {
        let interface = format!("org.freedesktop.systemd1.{interface}");
        let reply = self
            .connection
            .call_method(
                Some("org.freedesktop.systemd1"),
                path.as_str(),
                Some("org.freedesktop.DBus.Properties"),
                "GetAll",
                &interface.as_str(),
            )
            .await?;
        reply.body().deserialize()
    }
}

/// Runs this to its end on a thread of its own: the caller's may belong to another runtime, which forbids waiting.
fn aside<F>(runtime: &tokio::runtime::Runtime, future: F) -> anyhow::Result<F::Output>
where
    F: Future + Send,
    F::Output: Send,
{
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| runtime.block_on(future));
        thread
            .join()
            .map_err(|_| anyhow::anyhow!("the conversation with systemd broke off"))
    })
}

struct Answer(HashMap<String, OwnedVariant>);

impl Answer {
    fn get<T: TryFrom<OwnedVariant>>(&self, name: &str) -> Option<T> {
        T::try_from(self.0.get(name)?.try_clone().ok()?).ok()
    }

    fn string(&self, name: &str) -> String {
        self.get(name).unwrap_or_default()
    }

    fn strings(&self, name: &str) -> Vec<String> {
        self.get(name).unwrap_or_default()
    }

    fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.get(name)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.get(name)
    }

    fn flag(&self, name: &str) -> bool {
        self.get(name).unwrap_or(false)
    }
}
