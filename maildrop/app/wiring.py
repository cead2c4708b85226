"""The object graph: everything that serves, built from the configuration.

In this file:
    Wiring      what was built
    wire        builds it; opens no port and starts no thread
    listeners   what is listened on, as ``net.listeners`` wants it
    limits      what the connections of a port are held to

This is the one place that knows all parts; each of them knows only what it is given.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from twisted.internet.interfaces import IOpenSSLContextFactory, IProtocolFactory
from zope.interface import implementer

from maildrop.app.config import Reading
from maildrop.app.crowding import Uncrowded
from maildrop.app.deciding import Deciding
from maildrop.app.directory import open_users
from maildrop.app.housekeeper import Housekeeper
from maildrop.app.privileges import Rights, make_directory
from maildrop.app.queueing import Queueing, open_queueing
from maildrop.app.routes import open_router
from maildrop.app.schema import Configuration
from maildrop.app.stores import Stores
from maildrop.app.syncing import DiskWaits, KernelQueue
from maildrop.app.threads import Pool
from maildrop.app.warner import Warner
from maildrop.app.watching import DiskWatcher, Inotify
from maildrop.auth.authenticator import Authenticator
from maildrop.auth.throttle import Throttle
from maildrop.auth.users import Users
from maildrop.auth.verified import Verified
from maildrop.decisions.trace import TraceIds
from maildrop.delivery.agent import Agent
from maildrop.delivery.routing import Router
from maildrop.durable import Disk
from maildrop.imap.fetch_formatter import Formatters
from maildrop.imap.limits import IMAPLimits
from maildrop.imap.server import IMAPFactory
from maildrop.imap.site import Site as ImapSite
from maildrop.imap.wire.limits import Limits as ImapWireLimits
from maildrop.mailbox.bridge import Post
from maildrop.mailbox.keeping import Keeping
from maildrop.mailbox.names import Namespace
from maildrop.metrics import Counters
from maildrop.net import connection
from maildrop.net.listeners import Listener
from maildrop.net.port import PortLimits
from maildrop.net.sessions import Sessions
from maildrop.pop3.server import Pop3Factory
from maildrop.pop3.session import Services as Pop3Services, Settings as Pop3Settings
from maildrop.smtp.server import SMTPFactory
from maildrop.smtp.service import Service, SMTPLimits
from maildrop.smtp.session import Site
from maildrop.tls import Certificates

#: The protocol of the control socket.
CONTROL: Final = "control"
#: Threads for passwords: they take a core each.
HASHING_THREADS: Final = 2
#: Threads for the administrator's commands that warn users.
WARNING_THREADS: Final = 2
#: Threads for slow calls on stores: they mostly wait for the disk.
STORE_THREADS: Final = 8
#: Syncs that the kernel does at once.
SYNCS: Final = 256


@implementer(IOpenSSLContextFactory)
class ReachedCertificates:
    """Certificates whose key only root may read.

    Args:
        certificates: The pair.
        rights: To read it with.
    """

    def __init__(self, certificates: Certificates, rights: Rights) -> None:
        self._certificates = certificates
        self._rights = rights

    def getContext(self) -> Any:  # noqa: ANN401 (pyOpenSSL's)
        """The context for a new handshake; looks for a changed pair."""
        with self._rights.as_root():
            return self._certificates.getContext()

    def reload(self) -> bool:
        """See ``tls.Certificates``."""
        with self._rights.as_root():
            return self._certificates.reload()


@dataclass(frozen=True, slots=True)
class Wiring:
    """Everything that serves.

    Attributes:
        configuration: What it was built from.
        rights: Whose files are touched how.
        certificates: For TLS.
        users: Who has mail here.
        post: The mail.
        sessions: Who is connected.
        counters: What has happened.
        watcher: Tells of changes on disk.
        waits: Waits for the disk.
        hashing: Threads for passwords.
        storing: Threads for slow calls on stores.
        warning: Threads for commands that warn.
        housekeeper: Removes what is old.
        deciding: Keeps decisions.
        queueing: What waits, and what is done about it.
        factory: Gives the factory of protocols for a listener.
    """

    configuration: Configuration
    rights: Rights
    certificates: ReachedCertificates
    users: Users
    post: Post
    sessions: Sessions
    counters: Counters
    watcher: DiskWatcher
    waits: DiskWaits
    hashing: Pool
    storing: Pool
    warning: Pool
    housekeeper: Housekeeper
    deciding: Deciding
    queueing: Queueing
    factory: Callable[[Listener], IProtocolFactory]

    def start(self) -> None:
        """Start threads and watches; the process forks no more."""
        self.hashing.start()
        self.storing.start()
        self.warning.start()
        self.watcher.start()
        self.housekeeper.start()
        self.deciding.start()
        self.queueing.start()

    def stop(self) -> None:
        """End threads and watches; waits for the threads at work."""
        self.housekeeper.stop()
        self.queueing.stop()
        self.watcher.close()
        self.waits.close()
        self.hashing.stop()
        self.storing.stop()
        self.warning.stop()
        self.deciding.stop()


def control_listener(configuration: Configuration) -> Listener:
    """The control socket: for root and the account we work as."""
    path = configuration.control_socket.replace("\\", "\\\\").replace(":", "\\:")
    return Listener(CONTROL, f"unix:{path}:mode=600", setting="below state")


def listeners(reading: Reading) -> list[Listener]:
    """What clients connect to."""
    found = []
    for at, listen in enumerate(reading.configuration.listen):
        line = reading.lines.get(("listen", at))
        setting = f"listen[{at + 1}], {reading.file}"
        setting += f":{line}" if line is not None else ""
        found.append(
            Listener(
                listen.protocol,
                listen.endpoint,
                listen.tls,
                listen.proxies,
                setting=setting,
            )
        )
    return found


def limits(configuration: Configuration) -> PortLimits:
    """What the connections of a port are held to, taken together."""
    most = configuration.limits.connections
    per_source = configuration.limits.connections_per_source
    return PortLimits(connections=most, per_address=per_source or most)


def wire(configuration: Configuration, reactor: Any, rights: Rights) -> Wiring:  # noqa: ANN401
    """Build everything.

    Raises:
        ConfigurationError: Something that was configured cannot be used.
    """
    disk = Disk()
    state = configuration.state
    make_directory(state, rights, 0o711)
    scratch = os.path.join(state, "scratch")
    make_directory(scratch, rights)
    with rights.as_root():
        certificates = ReachedCertificates(
            Certificates(
                configuration.tls.certificate,
                configuration.tls.key,
                reactor,
                hostname=configuration.hostname,
                disk=disk,
            ),
            rights,
        )
    hashing = Pool(reactor, "password", HASHING_THREADS)
    storing = Pool(reactor, "store", STORE_THREADS)
    users = open_users(configuration, reactor, storing, rights.as_root)
    watcher = DiskWatcher(reactor, rights.as_root, inotify=Inotify())
    homes = configuration.users.home.partition("%")[0].rstrip("/")
    mail = configuration.mail
    keeping = Keeping(mail.keep_expunged, mail.keep_expunged_octets)
    stores = Stores(state, homes, rights, mail.locks, keeping=keeping)
    waits = DiskWaits(reactor, storing, lambda: KernelQueue(SYNCS))
    warning = Pool(reactor, "warning", WARNING_THREADS)
    warner = Warner(configuration.quota.warning, rights, reactor, warning)
    post = Post(
        stores,
        storing,
        rights.as_owner,
        watcher,
        waiting=waits,
        reached=warner,
        text_octets=mail.search_text,
    )
    warner.deliver_to(post)
    housekeeper = Housekeeper(
        configuration,
        users,
        stores.has_mail,
        stores,
        rights.as_owner,
        reactor,
        Pool(reactor, "housekeeping", 1),
        disk,
    )
    trace_ids = TraceIds(reactor.seconds, os.urandom)
    deciding = Deciding(configuration, reactor, trace_ids)
    sessions = Sessions(deciding.recorder)
    counters = Counters()
    router = open_router(configuration, users, reactor, rights, in_thread=storing)
    queueing = open_queueing(
        configuration,
        reactor,
        rights,
        users=users,
        router=router,
        post=post,
        watcher=watcher,
        recorder=deciding.recorder,
        disk=disk,
    )
    agent = Agent(
        post,
        queueing.outbox,
        queueing.placing,
        defer_full=configuration.quota.full == "defer",
        counters=counters,
        recorder=deciding.recorder,
    )
    parts = _Parts(
        configuration,
        reactor,
        certificates,
        _uncrowded(
            configuration,
            _authenticator(configuration, users, reactor, hashing, counters),
            sessions,
        ),
        post,
        router,
        agent,
        queueing,
        trace_ids,
        sessions,
        scratch,
    )
    return Wiring(
        configuration,
        rights,
        certificates,
        users,
        post,
        sessions,
        counters,
        watcher,
        waits,
        hashing,
        storing,
        warning,
        housekeeper,
        deciding,
        queueing,
        parts.factory,
    )


def _authenticator(
    configuration: Configuration,
    users: Users,
    reactor: Any,  # noqa: ANN401
    hashing: Pool,
    counters: Counters,
) -> Authenticator:
    return Authenticator(
        users,
        Throttle(os.urandom(32)),
        Verified(os.urandom(32), configuration.auth.cache),
        reactor,
        in_thread=hashing,
        key=os.urandom(32),
        cleartext=configuration.auth.cleartext,
        counters=counters,
    )


def _uncrowded(
    configuration: Configuration, authenticator: Authenticator, sessions: Sessions
) -> Authenticator | Uncrowded:
    most = configuration.limits.connections_per_user
    return Uncrowded(authenticator, sessions, most) if most else authenticator


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the factories of protocols are made of."""

    configuration: Configuration
    reactor: Any
    certificates: ReachedCertificates
    authenticator: Authenticator | Uncrowded
    post: Post
    router: Router
    agent: Agent
    queueing: Queueing
    trace_ids: TraceIds
    sessions: Sessions
    scratch: str
    formatters: Formatters = field(default_factory=Formatters)

    def factory(self, listener: Listener) -> IProtocolFactory:
        """The factory of protocols for a listener."""
        if listener.protocol == "imap":
            return self._imap(listener)
        if listener.protocol == "pop3":
            return self._pop3(listener)
        return self._smtp(listener)

    def _tls(self, listener: Listener) -> Callable[[], IOpenSSLContextFactory] | None:
        """What STARTTLS and STLS get; None where they are not offered."""
        if listener.tls != "starttls":
            return None
        certificates = self.certificates
        return lambda: certificates

    def _imap(self, listener: Listener) -> IProtocolFactory:
        limits = self.configuration.limits
        site = ImapSite(
            self.configuration.hostname,
            self.post,
            self.authenticator,
            self.reactor.seconds,
            self.scratch,
            tls=self._tls(listener),
            sessions=self.sessions,
            special_use=tuple(self.configuration.mail.special_use.pairs()),
            limits=IMAPLimits(
                message=limits.message,
                bad=limits.errors,
                login=limits.login,
                wire=replace(ImapWireLimits(), line=limits.line),
            ),
            formatters=self.formatters,
            namespace=Namespace.of(self.configuration.mail.namespace),
        )
        return IMAPFactory(site, self.reactor, connection.Limits(idle=limits.idle_imap))

    def _pop3(self, listener: Listener) -> IProtocolFactory:
        limits = self.configuration.limits
        settings = Pop3Settings(
            hostname=self.configuration.hostname,
            before_login=limits.login,
            autologout=limits.idle_pop3,
            wrong=limits.errors,
        )
        services = Pop3Services(
            self.authenticator,
            self.post,
            self.reactor,
            tls=self._tls(listener),
            sessions=self.sessions,
            settings=settings,
        )
        return Pop3Factory(services, connection.Limits(idle=limits.idle_pop3))

    def _smtp(self, listener: Listener) -> IProtocolFactory:
        limits = self.configuration.limits
        service = Service(listener.protocol)
        site = Site(
            service,
            self.configuration.hostname,
            self.router,
            self.agent,
            self.trace_ids,
            self.reactor.seconds,
            self.scratch,
            authenticator=(
                self.authenticator if service is Service.SUBMISSION else None
            ),
            tls=self._tls(listener),
            sessions=self.sessions,
            limits=SMTPLimits(
                message=limits.message,
                recipients=limits.recipients,
                errors=limits.errors,
            ),
            defer_full=self.configuration.quota.full == "defer",
            turns=self.queueing.turns,
        )
        return SMTPFactory(site, self.reactor, connection.Limits(idle=limits.idle_smtp))
