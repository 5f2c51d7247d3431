create table if not exists meta (key text primary key, value text not null);
create table if not exists rounds (
    round integer primary key,
    state text not null check (state in ('open', 'closed')),
    settings text not null,
    allocation text not null,
    feedback text not null default '[]',
    scorecard text not null default '{}'
);
create table if not exists clips (
    clip_index integer primary key,
    round integer not null,
    batch integer not null,
    scenario text not null,
    cell text not null,
    attempts integer not null,
    state text not null check (state in ('rendered', 'accepted', 'rejected', 'off_target', 'failed', 'surplus')),
    result text not null
);
create table if not exists batches (
    id integer primary key,
    round integer not null,
    number integer not null,
    first_index integer not null,
    count integer not null,
    verdict text not null check (verdict in ('accepted', 'rejected')),
    codes text not null,
    scorecard text not null,
    unique (round, number)
);
create table if not exists frames (
    id text primary key,
    clip_index integer not null,
    attempt integer not null,
    tick integer not null,
    verdict text not null check (verdict in ('ok', 'off_target', 'failed')),
    codes text not null,
    digest text not null,
    scores text not null,
    sample text not null,
    path text not null,
    counted integer not null
);
create table if not exists objects (
    frame text not null,
    instance integer not null,
    class text not null,
    cell text not null,
    range real not null,
    occluded real not null,
    truncated real not null,
    visible integer not null,
    alone integer not null,
    lidar_hits integer not null,
    counted integer not null,
    scores text not null,
    primary key (frame, instance)
);
create table if not exists counters (name text primary key, value integer not null);
create index if not exists frames_by_clip on frames (clip_index, tick);
