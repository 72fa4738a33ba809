-- One database a service: none can read another's tables.
CREATE DATABASE doorstep_cases;
CREATE DATABASE doorstep_visits;
CREATE DATABASE doorstep_followup;
CREATE DATABASE doorstep_audit;
