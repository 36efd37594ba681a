-- Every row of a result has the columns run, machine and scenario. Times are nanoseconds where a column ends in _ns, sizes are bytes, rates are per second.

CREATE TABLE machines (      -- a machine as it was observed; the same name with another state is another row
  id INTEGER PRIMARY KEY, machine TEXT NOT NULL, description TEXT, os TEXT, arch TEXT, kernel TEXT, cpu_model TEXT, cpus INTEGER,
  memory_bytes INTEGER, hypervisor TEXT, governor TEXT, clock_source TEXT, server_cpus TEXT, load_cpus TEXT, origin_cpus TEXT,
  cpu_vendor TEXT, cpu_family INTEGER, cpu_model_number INTEGER, cpu_stepping INTEGER, microcode TEXT, l3_bytes INTEGER, -- NULL: not recorded
  cpu_generation TEXT,       -- NULL: not recorded, or not in blitzlab's tables
  fingerprint TEXT           -- all of it, as JSON
);
CREATE TABLE runs (          -- what was measured in one go
  run TEXT NOT NULL, machine TEXT NOT NULL, machine_id INTEGER REFERENCES machines (id), started TEXT, finished TEXT, profile TEXT,
  pairs INTEGER, seed TEXT, command TEXT, revision TEXT,
  forced INTEGER,            -- 1: the machine was not fit, and unfit says why
  unfit TEXT,
  host INTEGER,              -- which host a machine that is moved was on: runs of one number are not known to differ in their CPU
  PRIMARY KEY (run, machine)
);
CREATE TABLE scenarios (     -- one scenario of a run
  run TEXT NOT NULL, machine TEXT NOT NULL, scenario TEXT NOT NULL, title TEXT, protocol TEXT, tls INTEGER, proxied INTEGER, origin_protocol TEXT,
  body_bytes INTEGER, connections INTEGER, streams INTEGER,
  newest INTEGER,            -- 1: no later run of this machine has the scenario; this one is in the report
  path TEXT,                 -- of the record, below results/
  PRIMARY KEY (run, machine, scenario)
);
CREATE TABLE targets (       -- a system as it was run
  run TEXT NOT NULL, machine TEXT NOT NULL, scenario TEXT NOT NULL, target TEXT NOT NULL,
  vanilla INTEGER,           -- 1: with the configuration that is shipped
  version TEXT, command TEXT, head_bytes INTEGER,
  PRIMARY KEY (run, machine, scenario, target)
);
CREATE TABLE configs (       -- configuration files in full
  run TEXT NOT NULL, machine TEXT NOT NULL, scenario TEXT NOT NULL, target TEXT NOT NULL, file TEXT NOT NULL, text TEXT
);
CREATE TABLE samples (       -- one measurement of one target by a process of its own; columns of other phases are NULL
  run TEXT NOT NULL, machine TEXT NOT NULL, scenario TEXT NOT NULL, target TEXT NOT NULL,
  phase TEXT,                -- saturation, rate, idle, objective, cold-start, chaos, scaling, reload
  rate REAL, round INTEGER, position INTEGER, started TEXT,
  valid INTEGER, invalid TEXT, warnings TEXT,
  window_seconds REAL, responses INTEGER, rps REAL, server_cpu_seconds REAL, cpu_us REAL, server_use REAL, load_use REAL, origin_use REAL,
  other_use REAL, steal REAL, errors INTEGER, p50_ns INTEGER, p90_ns INTEGER, p99_ns INTEGER, p999_ns INTEGER, p9999_ns INTEGER, max_ns INTEGER,
  rss_bytes INTEGER, pss_bytes INTEGER, alone_bytes INTEGER, peak_rss_bytes INTEGER, connections INTEGER, bytes_per_connection REAL, idle_cpu_us REAL,
  cold_ms REAL, cold_cpu_ms REAL, objective TEXT, held_rate REAL, failed_rate REAL, requests INTEGER, failed INTEGER
);
CREATE TABLE groups (        -- the merged histogram of a target's valid samples in one phase
  id INTEGER PRIMARY KEY, run TEXT NOT NULL, machine TEXT NOT NULL, scenario TEXT NOT NULL, target TEXT NOT NULL, phase TEXT, rate REAL,
  samples INTEGER, responses INTEGER, mean_ns REAL, max_ns INTEGER, hlog TEXT, sha256 TEXT
);
CREATE TABLE quantiles (     -- of a group's response times, with the interval over the rounds (of chaos: sections), widened to the merged value
  group_id INTEGER NOT NULL REFERENCES groups (id), quantile REAL, ns INTEGER, lo_ns INTEGER, hi_ns INTEGER, rounds INTEGER, confidence REAL
);
CREATE TABLE figures (       -- medians over the valid rounds with their intervals; of chaos and reloads, over the sections of their one sample
  run TEXT NOT NULL, machine TEXT NOT NULL, scenario TEXT NOT NULL, target TEXT NOT NULL, phase TEXT, rate REAL, metric TEXT, unit TEXT,
  more_is_better INTEGER, rounds INTEGER, median REAL, lo REAL, hi REAL, confidence REAL, min REAL, max REAL
);
CREATE TABLE ratios (        -- target / reference, paired by round or section: Hodges-Lehmann estimate and Wilcoxon interval; every two targets of a result
  run TEXT NOT NULL, machine TEXT NOT NULL, scenario TEXT NOT NULL, target TEXT NOT NULL, reference TEXT NOT NULL, phase TEXT, rate REAL,
  metric TEXT, more_is_better INTEGER, pairs INTEGER, ratio REAL, lo REAL, hi REAL, confidence REAL,
  differs INTEGER,           -- 1: the interval excludes 1, at 95 %
  better INTEGER             -- 1: it differs, and the target is better than the reference
);
