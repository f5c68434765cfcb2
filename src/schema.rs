//! The tables as diesel sees them, kept by hand for both databases; a test compares them with the migrations.

diesel::table! {
    sequence (name) {
        name -> Text,
        value -> BigInt,
    }
}

diesel::table! {
    settings (name) {
        name -> Text,
        value -> Text,
    }
}

diesel::table! {
    teams (id) {
        id -> Text,
        name -> Text,
        created_at -> Timestamp,
        version -> BigInt,
        description -> Text,
    }
}

diesel::table! {
    accounts (id) {
        id -> Text,
        kind -> Text,
        name -> Text,
        email -> Nullable<Text>,
        email_key -> Nullable<Text>,
        password -> Nullable<Text>,
        role -> Text,
        owner_account_id -> Nullable<Text>,
        owner_team_id -> Nullable<Text>,
        enabled -> Bool,
        time_zone -> Text,
        date_style -> Text,
        created_at -> Timestamp,
        version -> BigInt,
        description -> Text,
        removed_at -> Nullable<Timestamp>,
        name_key -> Text,
        folded -> Text,
    }
}

diesel::table! {
    members (team_id, account_id) {
        team_id -> Text,
        account_id -> Text,
        role -> Text,
        created_at -> Timestamp,
    }
}

diesel::table! {
    invitations (account_id) {
        account_id -> Text,
        digest -> Text,
        created_by -> Text,
        created_at -> Timestamp,
    }
}

diesel::table! {
    account_words (account_id, word) {
        account_id -> Text,
        word -> Text,
    }
}

diesel::table! {
    guesses (account_key) {
        account_key -> Text,
        failures -> BigInt,
        last_at -> Timestamp,
    }
}

diesel::table! {
    sessions (id) {
        id -> Text,
        digest -> Nullable<Text>,
        account_id -> Text,
        created_at -> Timestamp,
        seen_at -> Timestamp,
        ip -> Text,
        agent -> Text,
    }
}

diesel::table! {
    confirmations (digest) {
        digest -> Text,
        session_id -> Text,
        action -> Text,
        payload -> Text,
        created_at -> Timestamp,
        used_at -> Nullable<Timestamp>,
        account_id -> Text,
    }
}

diesel::table! {
    apis (id) {
        id -> Text,
        slug -> Text,
        title -> Text,
        description_version -> Text,
        dialect -> Text,
        servers -> Text,
        options -> Text,
        created_at -> Timestamp,
        imported_at -> Timestamp,
        version -> BigInt,
    }
}

diesel::table! {
    services (api_id, name) {
        api_id -> Text,
        name -> Text,
        title -> Text,
        summary -> Text,
    }
}

diesel::table! {
    methods (api_id, service, name) {
        api_id -> Text,
        service -> Text,
        name -> Text,
        http_method -> Text,
        path -> Text,
        kind -> Text,
        summary -> Text,
        docs_url -> Nullable<Text>,
        parameters -> Text,
        deprecated -> Bool,
    }
}

diesel::table! {
    access_sets (id) {
        id -> Text,
        api_id -> Text,
        slug -> Text,
        name -> Text,
        description -> Text,
        scopes -> Text,
        least_role -> Text,
        made_at_import -> Bool,
        created_at -> Timestamp,
    }
}

diesel::table! {
    tokens (id) {
        id -> Text,
        kind -> Text,
        owner_id -> Text,
        created_by -> Text,
        name -> Text,
        description -> Text,
        name_key -> Text,
        folded -> Text,
        scopes -> Text,
        access_set -> Nullable<Text>,
        allow -> Text,
        ip_allow -> Text,
        rate_per_minute -> Nullable<BigInt>,
        enabled -> Bool,
        created_at -> Timestamp,
        expires_at -> Nullable<Timestamp>,
        removed_at -> Nullable<Timestamp>,
        version -> BigInt,
        used_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    generations (token_id, number) {
        token_id -> Text,
        number -> BigInt,
        digest -> Text,
        starts_with -> Text,
        created_at -> Timestamp,
        ends_at -> Nullable<Timestamp>,
        used_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    uses (token_id) {
        token_id -> Text,
        used_at -> Timestamp,
        ip -> Text,
        agent -> Text,
    }
}

diesel::table! {
    events (id) {
        id -> Text,
        at -> Timestamp,
        action -> Text,
        actor_id -> Nullable<Text>,
        actor_name -> Text,
        via -> Text,
        subject_kind -> Text,
        subject_id -> Text,
        subject_name -> Text,
        owner_id -> Nullable<Text>,
        detail -> Text,
        ip -> Text,
        agent -> Text,
        folded -> Text,
        number -> BigInt,
        hash -> Text,
    }
}

diesel::table! {
    chain (name) {
        name -> Text,
        number -> BigInt,
        hash -> Text,
        at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    calls (token_id, day, method) {
        token_id -> Text,
        day -> Text,
        method -> Text,
        accepted -> BigInt,
        refused -> BigInt,
    }
}

diesel::table! {
    callers (token_id, day, ip) {
        token_id -> Text,
        day -> Text,
        ip -> Text,
        accepted -> BigInt,
        refused -> BigInt,
    }
}

diesel::table! {
    refusals (id) {
        id -> Text,
        reference -> Text,
        at -> Timestamp,
        token_id -> Text,
        token_name -> Text,
        owner_id -> Text,
        rule -> Text,
        sentence -> Text,
        scope -> Text,
        http_method -> Text,
        path -> Text,
        ip -> Text,
        folded -> Text,
    }
}

diesel::table! {
    tombstones (token_id) {
        token_id -> Text,
        owner_id -> Text,
        at -> Timestamp,
        version -> BigInt,
    }
}

diesel::table! {
    repeats (call) {
        call -> Text,
        body -> Text,
        made -> Text,
        at -> Timestamp,
    }
}

diesel::joinable!(generations -> tokens (token_id));
diesel::joinable!(uses -> tokens (token_id));
diesel::joinable!(calls -> tokens (token_id));
diesel::joinable!(callers -> tokens (token_id));
diesel::joinable!(tokens -> accounts (owner_id));
diesel::joinable!(members -> accounts (account_id));
diesel::joinable!(members -> teams (team_id));
diesel::joinable!(invitations -> accounts (account_id));
diesel::joinable!(sessions -> accounts (account_id));

diesel::allow_tables_to_appear_in_same_query!(
    accounts,
    teams,
    members,
    invitations,
    account_words,
    guesses,
    tokens,
    generations,
    uses,
    sessions,
    calls,
    callers
);
