BEGIN TRANSACTION;
CREATE TABLE attempts (
        attempt TEXT NOT NULL PRIMARY KEY,
        take_id TEXT NOT NULL REFERENCES takes (take_id),
        number INTEGER NOT NULL CHECK (number > 0),
        epoch INTEGER NOT NULL,
        fingerprint TEXT NOT NULL,
        started_at REAL NOT NULL,
        ended_at REAL,
        outcome TEXT,
        request_id TEXT UNIQUE,
        evidence TEXT NOT NULL DEFAULT '{}',
        UNIQUE (take_id, number)
    ) STRICT;
INSERT INTO "attempts" VALUES('try-submitting','submitting',1,1,'01ef8b6b9600d06990aaf90b85f5e756ad1d54ba04f250211d372c49257efde1',1010.0,NULL,NULL,NULL,'{}');
INSERT INTO "attempts" VALUES('try-queued','queued',1,1,'01ef8b6b9600d06990aaf90b85f5e756ad1d54ba04f250211d372c49257efde1',1010.0,1010.0,'Accepted','request-queued','{"http_status":200}');
INSERT INTO "attempts" VALUES('try-running','running',1,1,'01ef8b6b9600d06990aaf90b85f5e756ad1d54ba04f250211d372c49257efde1',1010.0,1010.0,'Accepted','request-running','{"http_status":200}');
INSERT INTO "attempts" VALUES('try-succeeded','succeeded',1,1,'01ef8b6b9600d06990aaf90b85f5e756ad1d54ba04f250211d372c49257efde1',1010.0,1010.0,'Accepted','request-succeeded','{"http_status":200}');
INSERT INTO "attempts" VALUES('try-failed','failed',1,1,'01ef8b6b9600d06990aaf90b85f5e756ad1d54ba04f250211d372c49257efde1',1010.0,1010.0,'Accepted','request-failed','{"http_status":200}');
INSERT INTO "attempts" VALUES('try-cancelled','cancelled',1,1,'01ef8b6b9600d06990aaf90b85f5e756ad1d54ba04f250211d372c49257efde1',1010.0,1010.0,'Accepted','request-cancelled','{"http_status":200}');
INSERT INTO "attempts" VALUES('try-held','held',1,1,'01ef8b6b9600d06990aaf90b85f5e756ad1d54ba04f250211d372c49257efde1',1010.0,1010.0,'LostContact',NULL,'{"milestone":"body sent","reason":"read timed out","evidence":""}');
INSERT INTO "attempts" VALUES('try-dropped','dropped',1,1,'01ef8b6b9600d06990aaf90b85f5e756ad1d54ba04f250211d372c49257efde1',1010.0,1010.0,'Dropped',NULL,'{"milestone":"body sent","reason":"read timed out","evidence":"","by":"ada"}');
CREATE TABLE events (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,
        take_id TEXT NOT NULL REFERENCES takes (take_id),
        fact TEXT NOT NULL,
        details TEXT NOT NULL,
        before TEXT NOT NULL,
        after TEXT NOT NULL
    ) STRICT;
INSERT INTO "events" VALUES(1,1010.0,'submitting','SubmissionStarted','{"attempt": "try-submitting", "fingerprint": "01ef8b6b9600d06990aaf90b85f5e756ad1d54ba04f250211d372c49257efde1", "epoch": 1}','pending','submitting');
INSERT INTO "events" VALUES(2,1010.0,'queued','SubmissionStarted','{"attempt": "try-queued", "fingerprint": "01ef8b6b9600d06990aaf90b85f5e756ad1d54ba04f250211d372c49257efde1", "epoch": 1}','pending','submitting');
INSERT INTO "events" VALUES(3,1010.0,'queued','Accepted','{"attempt": "try-queued", "request_id": "request-queued", "http_status": 200}','submitting','queued');
INSERT INTO "events" VALUES(4,1010.0,'running','SubmissionStarted','{"attempt": "try-running", "fingerprint": "01ef8b6b9600d06990aaf90b85f5e756ad1d54ba04f250211d372c49257efde1", "epoch": 1}','pending','submitting');
INSERT INTO "events" VALUES(5,1010.0,'running','Accepted','{"attempt": "try-running", "request_id": "request-running", "http_status": 200}','submitting','queued');
INSERT INTO "events" VALUES(6,1010.0,'running','Started','{}','queued','running');
INSERT INTO "events" VALUES(7,1010.0,'succeeded','SubmissionStarted','{"attempt": "try-succeeded", "fingerprint": "01ef8b6b9600d06990aaf90b85f5e756ad1d54ba04f250211d372c49257efde1", "epoch": 1}','pending','submitting');
INSERT INTO "events" VALUES(8,1010.0,'succeeded','Accepted','{"attempt": "try-succeeded", "request_id": "request-succeeded", "http_status": 200}','submitting','queued');
INSERT INTO "events" VALUES(9,1010.0,'succeeded','Ended','{"outcome": "succeeded", "result": "{}", "outputs": ["https://clips/1.mp4"], "failure": null, "reason": "", "cost": 0.5, "seconds": 12.0}','queued','succeeded');
INSERT INTO "events" VALUES(10,1010.0,'failed','SubmissionStarted','{"attempt": "try-failed", "fingerprint": "01ef8b6b9600d06990aaf90b85f5e756ad1d54ba04f250211d372c49257efde1", "epoch": 1}','pending','submitting');
INSERT INTO "events" VALUES(11,1010.0,'failed','Accepted','{"attempt": "try-failed", "request_id": "request-failed", "http_status": 200}','submitting','queued');
INSERT INTO "events" VALUES(12,1010.0,'failed','Ended','{"outcome": "failed", "result": "{}", "outputs": [], "failure": "provider-failed", "reason": "broke", "cost": null, "seconds": null}','queued','failed');
INSERT INTO "events" VALUES(13,1010.0,'cancelled','SubmissionStarted','{"attempt": "try-cancelled", "fingerprint": "01ef8b6b9600d06990aaf90b85f5e756ad1d54ba04f250211d372c49257efde1", "epoch": 1}','pending','submitting');
INSERT INTO "events" VALUES(14,1010.0,'cancelled','Accepted','{"attempt": "try-cancelled", "request_id": "request-cancelled", "http_status": 200}','submitting','queued');
INSERT INTO "events" VALUES(15,1010.0,'cancelled','Ended','{"outcome": "cancelled", "result": "{}", "outputs": [], "failure": null, "reason": "", "cost": null, "seconds": null}','queued','cancelled');
INSERT INTO "events" VALUES(16,1010.0,'held','SubmissionStarted','{"attempt": "try-held", "fingerprint": "01ef8b6b9600d06990aaf90b85f5e756ad1d54ba04f250211d372c49257efde1", "epoch": 1}','pending','submitting');
INSERT INTO "events" VALUES(17,1010.0,'held','LostContact','{"attempt": "try-held", "milestone": "body sent", "reason": "read timed out", "evidence": ""}','submitting','held');
INSERT INTO "events" VALUES(18,1010.0,'dropped','SubmissionStarted','{"attempt": "try-dropped", "fingerprint": "01ef8b6b9600d06990aaf90b85f5e756ad1d54ba04f250211d372c49257efde1", "epoch": 1}','pending','submitting');
INSERT INTO "events" VALUES(19,1010.0,'dropped','LostContact','{"attempt": "try-dropped", "milestone": "body sent", "reason": "read timed out", "evidence": ""}','submitting','held');
INSERT INTO "events" VALUES(20,1010.0,'dropped','Dropped','{"by": "ada"}','held','dropped');
INSERT INTO "events" VALUES(21,1010.0,'succeeded','FetchStarted','{"url": "https://clips/1.mp4"}','none','fetching');
INSERT INTO "events" VALUES(22,1010.0,'succeeded','Delivered','{"file": "clips/a.mp4", "sha256": "abababababababababababababababababababababababababababababababab", "bytes": 1234}','fetching','delivered');
CREATE TABLE manifests (
        id INTEGER PRIMARY KEY,
        sha256 TEXT NOT NULL UNIQUE,
        file TEXT NOT NULL,
        adopted_at REAL NOT NULL,
        text TEXT NOT NULL
    ) STRICT;
INSERT INTO "manifests" VALUES(1,'09bfcc6a14b83e2192b8673677725c84883ee9cd0c70e45c9ec09daa8f2b2847','board.csv',1000.0,'version: 1
');
CREATE TABLE run (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        run_id TEXT NOT NULL,
        name TEXT NOT NULL,
        manifest TEXT NOT NULL,
        simulated INTEGER NOT NULL CHECK (simulated IN (0, 1)),
        api_base TEXT NOT NULL,
        created_at REAL NOT NULL,
        version TEXT NOT NULL,
        columns TEXT NOT NULL,
        epoch INTEGER NOT NULL DEFAULT 0,
        at_rest INTEGER NOT NULL DEFAULT 1 CHECK (at_rest IN (0, 1)),
        newest_manifest INTEGER REFERENCES manifests (id)
    ) STRICT;
INSERT INTO "run" VALUES(1,'run-1','board','/boards/board.csv',1,'http://127.0.0.1:1/v1',1000.0,'0.1','["id", "model"]',1,1,1);
CREATE TABLE takes (
        take_id TEXT NOT NULL PRIMARY KEY,
        position INTEGER,
        state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'submitting', 'queued', 'running', 'succeeded', 'failed', 'cancelled', 'held', 'dropped')),
        delivery TEXT NOT NULL DEFAULT 'none' CHECK (delivery IN ('none', 'fetching', 'delivered', 'undeliverable')),
        failure TEXT CHECK (failure IN ('invalid-input', 'moderation', 'provider-failed', 'no-balance', 'auth', 'rate-limit', 'transient', 'missing', 'expired', 'no-output', 'refused')),
        attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
        request_id TEXT UNIQUE CHECK (length(request_id) > 0),
        submitted_at REAL,
        finished_at REAL,
        seconds REAL,
        not_before REAL NOT NULL DEFAULT 0,
        cost REAL,
        shot_id TEXT NOT NULL,
        model TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        seed TEXT,
        file TEXT,
        sha256 TEXT,
        bytes INTEGER,
        cancel_requested TEXT,
        reason TEXT NOT NULL DEFAULT '',
        point TEXT NOT NULL,
        tags TEXT NOT NULL,
        notes TEXT NOT NULL,
        cells TEXT NOT NULL,
        outputs TEXT NOT NULL DEFAULT '[]',
        body TEXT NOT NULL,
        result TEXT,
        CHECK (delivery = 'none' OR state = 'succeeded'),
        CHECK (delivery <> 'delivered' OR file IS NOT NULL),
        CHECK (state NOT IN ('pending', 'submitting', 'held') OR request_id IS NULL),
        CHECK (state NOT IN ('queued', 'running', 'succeeded', 'cancelled') OR request_id IS NOT NULL)
    ) STRICT;
INSERT INTO "takes" VALUES('pending',0,'pending','none',NULL,0,NULL,NULL,NULL,NULL,0.0,NULL,'pending','pika/pikaframes','01ef8b6b9600d06990aaf90b85f5e756ad1d54ba04f250211d372c49257efde1','9223372036854775815',NULL,NULL,NULL,NULL,'','{"seed": 7}','["hero"]','','{"id": "pending"}','[]','{"promptText": "a hand"}',NULL);
INSERT INTO "takes" VALUES('submitting',1,'submitting','none',NULL,1,NULL,NULL,NULL,NULL,0.0,NULL,'submitting','pika/pikaframes','01ef8b6b9600d06990aaf90b85f5e756ad1d54ba04f250211d372c49257efde1','9223372036854775815',NULL,NULL,NULL,NULL,'','{"seed": 7}','["hero"]','','{"id": "submitting"}','[]','{"promptText": "a hand"}',NULL);
INSERT INTO "takes" VALUES('queued',2,'queued','none',NULL,1,'request-queued',1010.0,NULL,NULL,0.0,NULL,'queued','pika/pikaframes','01ef8b6b9600d06990aaf90b85f5e756ad1d54ba04f250211d372c49257efde1','9223372036854775815',NULL,NULL,NULL,NULL,'','{"seed": 7}','["hero"]','','{"id": "queued"}','[]','{"promptText": "a hand"}',NULL);
INSERT INTO "takes" VALUES('running',3,'running','none',NULL,1,'request-running',1010.0,NULL,NULL,0.0,NULL,'running','pika/pikaframes','01ef8b6b9600d06990aaf90b85f5e756ad1d54ba04f250211d372c49257efde1','9223372036854775815',NULL,NULL,NULL,NULL,'','{"seed": 7}','["hero"]','','{"id": "running"}','[]','{"promptText": "a hand"}',NULL);
INSERT INTO "takes" VALUES('succeeded',4,'succeeded','delivered',NULL,1,'request-succeeded',1010.0,1010.0,12.0,0.0,0.5,'succeeded','pika/pikaframes','01ef8b6b9600d06990aaf90b85f5e756ad1d54ba04f250211d372c49257efde1','9223372036854775815','clips/a.mp4','abababababababababababababababababababababababababababababababab',1234,NULL,'','{"seed": 7}','["hero"]','','{"id": "succeeded"}','["https://clips/1.mp4"]','{"promptText": "a hand"}','{}');
INSERT INTO "takes" VALUES('failed',5,'failed','none','provider-failed',1,'request-failed',1010.0,1010.0,0.0,0.0,NULL,'failed','pika/pikaframes','01ef8b6b9600d06990aaf90b85f5e756ad1d54ba04f250211d372c49257efde1','9223372036854775815',NULL,NULL,NULL,NULL,'broke','{"seed": 7}','["hero"]','','{"id": "failed"}','[]','{"promptText": "a hand"}','{}');
INSERT INTO "takes" VALUES('cancelled',6,'cancelled','none',NULL,1,'request-cancelled',1010.0,1010.0,0.0,0.0,NULL,'cancelled','pika/pikaframes','01ef8b6b9600d06990aaf90b85f5e756ad1d54ba04f250211d372c49257efde1','9223372036854775815',NULL,NULL,NULL,NULL,'','{"seed": 7}','["hero"]','','{"id": "cancelled"}','[]','{"promptText": "a hand"}','{}');
INSERT INTO "takes" VALUES('held',7,'held','none',NULL,1,NULL,NULL,NULL,NULL,0.0,NULL,'held','pika/pikaframes','01ef8b6b9600d06990aaf90b85f5e756ad1d54ba04f250211d372c49257efde1','9223372036854775815',NULL,NULL,NULL,NULL,'read timed out','{"seed": 7}','["hero"]','','{"id": "held"}','[]','{"promptText": "a hand"}',NULL);
INSERT INTO "takes" VALUES('dropped',8,'dropped','none',NULL,1,NULL,NULL,1010.0,NULL,0.0,NULL,'dropped','pika/pikaframes','01ef8b6b9600d06990aaf90b85f5e756ad1d54ba04f250211d372c49257efde1','9223372036854775815',NULL,NULL,NULL,NULL,'read timed out','{"seed": 7}','["hero"]','','{"id": "dropped"}','[]','{"promptText": "a hand"}',NULL);
CREATE INDEX events_of_take ON events (take_id, seq);
CREATE INDEX takes_by_state ON takes (state, delivery, position);
CREATE INDEX takes_by_duration ON takes (model, finished_at, seconds)
        WHERE state = 'succeeded' AND seconds IS NOT NULL;
CREATE TRIGGER take_begins_pending BEFORE INSERT ON takes WHEN NEW.state <> 'pending' OR NEW.delivery <> 'none' BEGIN SELECT RAISE(ABORT, 'a take begins as pending'); END;
CREATE TRIGGER take_moves_by_the_table BEFORE UPDATE OF state ON takes WHEN OLD.state <> NEW.state AND OLD.state || '>' || NEW.state NOT IN ('cancelled>pending', 'failed>pending', 'held>dropped', 'held>pending', 'held>queued', 'pending>submitting', 'queued>cancelled', 'queued>failed', 'queued>running', 'queued>succeeded', 'running>cancelled', 'running>failed', 'running>queued', 'running>succeeded', 'submitting>failed', 'submitting>held', 'submitting>pending', 'submitting>queued') BEGIN SELECT RAISE(ABORT, 'the table of states forbids this move'); END;
CREATE TRIGGER clip_moves_by_the_table BEFORE UPDATE OF delivery ON takes WHEN OLD.delivery <> NEW.delivery AND OLD.delivery || '>' || NEW.delivery NOT IN ('delivered>none', 'fetching>delivered', 'fetching>fetching', 'fetching>undeliverable', 'none>fetching', 'undeliverable>fetching') BEGIN SELECT RAISE(ABORT, 'the table of deliveries forbids this move'); END;
CREATE TRIGGER nothing_is_sent_unclaimed BEFORE UPDATE OF state ON takes WHEN NEW.state = 'submitting' AND OLD.state <> 'submitting' AND NOT EXISTS (SELECT 1 FROM attempts WHERE take_id = NEW.take_id AND number = NEW.attempts AND outcome IS NULL) BEGIN SELECT RAISE(ABORT, 'a take is sent only with an open attempt'); END;
CREATE TRIGGER attempt_needs_the_epoch BEFORE INSERT ON attempts WHEN NEW.epoch <> (SELECT epoch FROM run) BEGIN SELECT RAISE(ABORT, 'another runner has taken over'); END;
CREATE TRIGGER what_was_sent_stays BEFORE UPDATE OF body, fingerprint, model, seed, point ON takes WHEN OLD.state <> 'pending' BEGIN SELECT RAISE(ABORT, 'only a pending take may be given a new body'); END;
CREATE TRIGGER epoch_only_rises BEFORE UPDATE OF epoch ON run WHEN NEW.epoch < OLD.epoch BEGIN SELECT RAISE(ABORT, 'the epoch never falls'); END;
CREATE TRIGGER events_are_written_once BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
CREATE TRIGGER run_are_kept BEFORE DELETE ON run BEGIN SELECT RAISE(ABORT, 'run are never deleted'); END;
CREATE TRIGGER manifests_are_kept BEFORE DELETE ON manifests BEGIN SELECT RAISE(ABORT, 'manifests are never deleted'); END;
CREATE TRIGGER takes_are_kept BEFORE DELETE ON takes BEGIN SELECT RAISE(ABORT, 'takes are never deleted'); END;
CREATE TRIGGER attempts_are_kept BEFORE DELETE ON attempts BEGIN SELECT RAISE(ABORT, 'attempts are never deleted'); END;
CREATE TRIGGER events_are_kept BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',22);
COMMIT;
PRAGMA application_id = 1397247828;
PRAGMA user_version = 1;
