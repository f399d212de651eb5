//! The guards that docs/grants.md offers: triggers on the ledger's tables that keep an instance from harming others.
//!
//! A trigger on the ledger is code of somebody's, and is refused; these are known word by word.

/// The settings that each of the functions has to be made with.
pub(super) const SETTINGS: &str = "search_path=pg_catalog, pg_temp";

/// Tables and the bodies of the functions that may guard them.
pub(super) const GUARDS: [(&str, &str); 4] = [
    ("leases", LEASES),
    ("sightings", SIGHTINGS),
    ("arrivals", ARRIVALS),
    ("admission", ADMISSION),
];

/// Whoever owns the ledger may do what he does; an instance changes nothing but what it has written, and says nothing of
/// the time that is not so. Where an admission would end or mark the lease of somebody else that has the same name, it stays
/// as it is: an error would keep the newcomer from starting. The argument is how long a lease may last, in milliseconds.
const LEASES: &str = r"
DECLARE
  now_ms bigint := (extract(epoch FROM clock_timestamp()) * 1000)::bigint;
BEGIN
  IF pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'MEMBER') THEN
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
  END IF;
  IF TG_OP = 'DELETE' THEN
    RETURN CASE WHEN OLD.expires_at <= now_ms OR OLD.written_by IN (session_user, '') THEN OLD END;
  END IF;
  IF TG_OP = 'UPDATE' THEN
    IF OLD.written_by NOT IN (session_user, '') THEN
      NEW.superseded := OLD.superseded;
      IF NEW IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'the lease of % was written by %', OLD.instance, OLD.written_by USING ERRCODE = '42501';
      END IF;
      RETURN OLD;
    END IF;
    IF (NEW.id, NEW.service, NEW.version, NEW.instance, NEW.registered_at, NEW.renew_ms, NEW.written_by, NEW.address)
      IS DISTINCT FROM (OLD.id, OLD.service, OLD.version, OLD.instance, OLD.registered_at, OLD.renew_ms, OLD.written_by, OLD.address)
    THEN
      RAISE EXCEPTION 'a lease stays what it was registered as' USING ERRCODE = '42501';
    END IF;
  ELSE
    NEW.written_by := session_user;
    NEW.address := coalesce(host(inet_client_addr()), '');
  END IF;
  IF NEW.expires_at > now_ms + TG_ARGV[0]::bigint OR greatest(NEW.renewed_at, NEW.registered_at) > now_ms + 60000 THEN
    RAISE EXCEPTION 'a lease lasts % ms from now at most, and begins now', TG_ARGV[0] USING ERRCODE = '42501';
  END IF;
  RETURN NEW;
END
";

/// Whoever records looks has to be believed; an instance tells of versions that hold a lease, and takes nothing back.
const SIGHTINGS: &str = r"
BEGIN
  IF has_table_privilege(current_user, 'phasegate.looks', 'INSERT') THEN
    RETURN NEW;
  END IF;
  IF TG_OP = 'UPDATE' THEN
    IF (NEW.service, NEW.version, NEW.first_seen_at) IS DISTINCT FROM (OLD.service, OLD.version, OLD.first_seen_at)
      OR NEW.last_seen_at < OLD.last_seen_at OR NEW.seq < OLD.seq
    THEN
      RAISE EXCEPTION 'what was seen of % % stays', OLD.service, OLD.version USING ERRCODE = '42501';
    END IF;
  END IF;
  IF NOT EXISTS (SELECT FROM phasegate.leases AS l WHERE l.service = NEW.service AND l.version = NEW.version)
    OR NEW.seq > (SELECT a.seq FROM phasegate.admission AS a WHERE a.id = 1)
    OR NEW.last_seen_at > (extract(epoch FROM clock_timestamp()) * 1000)::bigint + 60000
  THEN
    RAISE EXCEPTION 'nothing shows that % % was there', NEW.service, NEW.version USING ERRCODE = '42501';
  END IF;
  RETURN NEW;
END
";

/// A moment is written down with its own admission, and tells of nobody who was not there.
const ARRIVALS: &str = r"
BEGIN
  IF has_table_privilege(current_user, 'phasegate.looks', 'INSERT') THEN
    RETURN NEW;
  END IF;
  IF NEW.seq <> (SELECT a.seq FROM phasegate.admission AS a WHERE a.id = 1)
    OR EXISTS (
      SELECT FROM jsonb_array_elements(NEW.live::jsonb) AS pair
      WHERE NOT EXISTS (SELECT FROM phasegate.leases AS l WHERE l.service = pair ->> 0 AND l.version = pair ->> 1)
        AND NOT EXISTS (SELECT FROM phasegate.seen AS s WHERE s.service = pair ->> 0 AND s.version = pair ->> 1))
    OR EXISTS (
      SELECT FROM jsonb_array_elements(NEW.strays::jsonb) AS stray
      WHERE NOT EXISTS (SELECT FROM phasegate.sightings AS s WHERE s.service = stray ->> 0 AND s.version = stray ->> 1))
  THEN
    RAISE EXCEPTION 'an arrival tells of who is there' USING ERRCODE = '42501';
  END IF;
  RETURN NEW;
END
";

/// Admissions are counted one by one.
const ADMISSION: &str = r"
BEGIN
  IF pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'MEMBER')
    OR (NEW.id = OLD.id AND NEW.seq = OLD.seq + 1)
  THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'admissions are counted one by one' USING ERRCODE = '42501';
END
";
