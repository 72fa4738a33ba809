-- One database a service: none can read another's tables.
CREATE DATABASE doorstep_cases;
CREATE DATABASE doorstep_visits;
CREATE DATABASE doorstep_followup;
CREATE DATABASE doorstep_audit;

-- Who works on the trail may not own it (services/audit/roles.py grants the rights, at each `doorstep migrate audit`).
\set password `cat /run/doorstep/postgres_password`
CREATE ROLE doorstep_audit_owner NOLOGIN;
CREATE ROLE doorstep_audit_sequencer NOLOGIN;
CREATE ROLE doorstep_audit_reader NOLOGIN;
CREATE ROLE doorstep_audit_api NOLOGIN;
CREATE ROLE doorstep_audit_worker_login LOGIN PASSWORD :'password' IN ROLE doorstep_audit_sequencer;
CREATE ROLE doorstep_audit_api_login LOGIN PASSWORD :'password' IN ROLE doorstep_audit_api;
