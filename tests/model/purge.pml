/*
 * Captures beside purges, each killed at any step: does a snapshot ever lose a chunk, and does a dead chunk ever stay?
 *
 * The world: pack 0 holds the chunks X and Y. The old snapshot refers to both and expires, a younger one refers to Y
 * alone; so X must go and Y must move. Meanwhile captures want X and Y again: they refer to stored chunks where they
 * may, and store their own where not. Slots, packs and index objects are bits; a record holds a set of packs.
 *
 * Each step of a process is one store operation. What the real code promises about one operation (whole or not at all,
 * durable when it returned) is taken for granted here; the tests of the store check that.
 *
 * Built with one of these, the protocol is broken on purpose, and the model must notice:
 *   LATE_SESSION       a capture puts its session after it has read what it may refer to
 *   INDEX_FIRST        a capture reads the index before the condemned packs
 *   NO_RECHECK         a purge destroys what it condemned without loading heads and index again
 *   NO_WAIT            a purge does not wait for sessions older than its record
 *   NO_HARD_END        a capture commits although its session has passed its end
 *   LATE_INDEX         a capture writes its index although its session has passed its end
 *   RECORD_GOES_FIRST  a purge removes its record before the index objects that name the packs
 *   HEAD_FIRST         a capture commits its head before the index
 */

#define RUNS   2 /* captures, and purges beside them; one more purge ends every history */
#define PACKS  6 /* 0: the old one; 1, 2: of captures; 3, 4, 5: what purges moved to */
#define OBJECTS 9 /* index objects: one a pack, and one a purge for the consolidated index */
#define HEADS  4 /* 0: expires; 1: stays; 2, 3: of captures */

#define X0 1
#define Y0 2
#define X_OF(run) (4 << (2 * (run)))
#define Y_OF(run) (8 << (2 * (run)))
#define ALL_X (X0 | X_OF(0) | X_OF(1))
#define ALL_Y (Y0 | Y_OF(0) | Y_OF(1))
#define BIT(n) (1 << (n))

byte content[PACKS]; /* slots a pack holds */
byte stored;         /* packs that exist */
byte index[OBJECTS]; /* packs an index object names; 0: there is none */
byte head[HEADS];    /* slots a snapshot refers to; 0: there is none */
byte record[RUNS + 1];
byte older[RUNS + 1]; /* sessions that began before the record was written */
byte sessions;        /* session objects: one bit a capture */
byte ended;           /* sessions past their hard end */
bool capturing;       /* the capture lock, which the system frees when its holder dies */
byte finished;        /* processes that came to their end */

hidden byte n; /* scratch inside d_steps, no part of the state */
hidden byte m;
hidden byte needed;
hidden byte reachable;

inline union_of_heads(to) {
    to = 0;
    n = 0;
    do
    :: n < HEADS -> to = to | head[n]; n++
    :: else -> break
    od
}

inline union_of_index(to) {
    to = 0;
    n = 0;
    do
    :: n < OBJECTS -> to = to | index[n]; n++
    :: else -> break
    od
}

inline union_of_records(to) {
    to = 0;
    n = 0;
    do
    :: n <= RUNS -> to = to | record[n]; n++
    :: else -> break
    od
}

inline slots_of(packs, to) {
    to = 0;
    n = 0;
    do
    :: n < PACKS -> if :: packs & BIT(n) -> to = to | content[n] :: else fi; n++
    :: else -> break
    od
}

/* Every slot of every snapshot stands in a pack that exists and that the index names. */
inline nothing_is_lost() {
    d_step {
        union_of_heads(needed);
        union_of_index(m);
        slots_of(m & stored, reachable);
        assert((needed & ~reachable) == 0)
    }
}

#define MAY_DIE if :: true :: mortal -> goto dead fi

/* --- a capture ---------------------------------------------------------------------------------------------------- */

proctype capture(byte run_number) {
    byte condemned, named, may, refers, stores;
    bool mortal = true;

    atomic { !capturing -> capturing = true; sessions = 0 }
    MAY_DIE;

#ifndef LATE_SESSION
    sessions = sessions | BIT(run_number);
    MAY_DIE;
#endif

#ifdef INDEX_FIRST
    d_step { union_of_index(named) }
    MAY_DIE;
    d_step { union_of_records(condemned) }
#else
    d_step { union_of_records(condemned) }
    MAY_DIE;
    d_step { union_of_index(named) }
#endif
    MAY_DIE;

#ifdef LATE_SESSION
    sessions = sessions | BIT(run_number);
    MAY_DIE;
#endif

    /* Refer to what is stored, where it may be referred to. */
    d_step {
        slots_of(named & ~condemned, may);
        if :: may & X0 -> refers = X0
           :: !(may & X0) && (may & X_OF(0)) -> refers = X_OF(0)
           :: !(may & X0) && !(may & X_OF(0)) && (may & X_OF(1)) -> refers = X_OF(1)
           :: else -> stores = X_OF(run_number)
        fi;
        if :: may & Y0 -> refers = refers | Y0
           :: !(may & Y0) && (may & Y_OF(0)) -> refers = refers | Y_OF(0)
           :: !(may & Y0) && !(may & Y_OF(0)) && (may & Y_OF(1)) -> refers = refers | Y_OF(1)
           :: else -> stores = stores | Y_OF(run_number)
        fi;
        may = 0; named = 0; condemned = 0
    }

    if
    :: stores ->
        d_step { content[1 + run_number] = stores; stored = stored | BIT(1 + run_number) }
        MAY_DIE;
#ifndef HEAD_FIRST
        /* What comes late may be gone already, and an index object would lead others to it. */
        atomic {
#ifndef LATE_INDEX
            if :: ended & BIT(run_number) -> goto dead :: else fi;
#endif
            index[1 + run_number] = BIT(1 + run_number)
        }
        MAY_DIE
#endif
    :: else
    fi;

    /* The snapshot begins to exist. */
    atomic {
#ifndef NO_HARD_END
        if :: ended & BIT(run_number) -> goto dead :: else fi;
#endif
        head[2 + run_number] = refers | stores
    }
#ifdef HEAD_FIRST
    nothing_is_lost();
    if :: stores -> index[1 + run_number] = BIT(1 + run_number) :: else fi;
#endif
    nothing_is_lost();
    MAY_DIE;

    sessions = sessions & ~BIT(run_number);
dead:
    atomic {
        capturing = false;
        finished++;
        if :: run_number + 1 < RUNS -> run capture(run_number + 1) :: else fi
    }
}

/* --- a purge ------------------------------------------------------------------------------------------------------ */

/* What a purge does with one pack that the index names: `kept` covers what other packs already provide. */
inline judge(p) {
    m = content[p] & live & ~kept;
    if
    :: m == 0 -> doomed = doomed | BIT(p)
    :: m != 0 && (content[p] & ~live) -> doomed = doomed | BIT(p); moves = moves | m; kept = kept | m
    :: else -> kept = kept | m
    fi
}

inline choose() {
    /* Packs without a dead slot come first, so that they provide; condemned ones come last. */
    p = 0;
    do
    :: p < PACKS ->
        if :: (there & named & ~condemned & BIT(p)) && !(content[p] & ~live) -> judge(p) :: else fi; p++
    :: else -> break
    od;
    p = 0;
    do
    :: p < PACKS ->
        if :: (there & named & ~condemned & BIT(p)) && (content[p] & ~live) -> judge(p) :: else fi; p++
    :: else -> break
    od;
    p = 0;
    do
    :: p < PACKS -> if :: there & named & condemned & BIT(p) -> judge(p) :: else fi; p++
    :: else -> break
    od;
    /* Packs that no index names are what killed runs left. */
    doomed = doomed | (there & ~named)
}

inline spare() {
    slots_of(there & named & ~doomed, kept);
    p = 0;
    do
    :: p < PACKS ->
        if
        :: (doomed & named & BIT(p)) && (content[p] & live & ~kept) ->
            kept = kept | content[p];
            doomed = doomed & ~BIT(p)
        :: else
        fi;
        p++
    :: else -> break
    od
}

proctype purge(byte run_number; bool mortal) {
    byte live, named, there, condemned, doomed, moves, kept, objects, p;

    /* The expired snapshot goes; the record of deadlines before it does not concern safety. */
    head[0] = 0;
    MAY_DIE;
    d_step { union_of_heads(live) }
    d_step { union_of_index(named) }
    d_step { there = stored; union_of_records(condemned) }
    d_step { choose(); named = 0; condemned = 0; kept = 0 }

    /* Live slots of packs with dead ones move, before anything is condemned. */
    if
    :: moves ->
        d_step { content[3 + run_number] = moves; stored = stored | BIT(3 + run_number); moves = 0 }
        MAY_DIE;
        index[3 + run_number] = BIT(3 + run_number);
        MAY_DIE
    :: else
    fi;

    /* Condemn. Older records are merged into this one, which is there before they go. */
    d_step { record[run_number] = doomed; older[run_number] = sessions }
    MAY_DIE;
    d_step { n = 0; do :: n <= RUNS -> if :: n != run_number -> record[n] = 0 :: else fi; n++ :: else -> break od }
    if :: doomed == 0 -> goto done :: else fi;
    MAY_DIE;

#ifndef NO_WAIT
    /* A free capture lock says that every session there is was left by the dead. */
    if
    :: !capturing || (sessions & older[run_number] & ~ended) == 0
    :: mortal -> goto done /* waited long enough: the next run goes on from the record */
    fi;
#endif

#ifndef NO_RECHECK
    d_step { union_of_heads(live) }
    d_step { union_of_index(named); there = stored }
#else
    d_step { union_of_index(named); there = stored }
#endif
    d_step { spare(); kept = 0; live = 0 }

    /* The index without them, then the old index, then the packs, then the record. */
#ifdef RECORD_GOES_FIRST
    record[run_number] = 0;
#endif
    d_step {
        objects = 0;
        p = 0;
        do :: p < OBJECTS - 1 -> if :: index[p] -> objects = objects | BIT(p) :: else fi; p++ :: else -> break od;
        /* Objects stand for what was loaded: nothing that came since is among them. */
        p = 0;
        do
        :: p < OBJECTS - 1 -> if :: (objects & BIT(p)) && (index[p] & ~named) -> objects = objects & ~BIT(p) :: else fi; p++
        :: else -> break
        od;
        index[6 + run_number] = named & ~doomed;
        objects = objects & ~BIT(6 + run_number)
    }
    MAY_DIE;
    p = 0;
    do
    :: p < OBJECTS - 1 && (objects & BIT(p)) -> index[p] = 0; nothing_is_lost(); p++; MAY_DIE
    :: p < OBJECTS - 1 && !(objects & BIT(p)) -> p++
    :: p == OBJECTS - 1 -> break
    od;
    p = 0;
    do
    :: p < PACKS && (doomed & stored & BIT(p)) -> stored = stored & ~BIT(p); nothing_is_lost(); p++; MAY_DIE
    :: p < PACKS && !(doomed & stored & BIT(p)) -> p++
    :: p == PACKS -> break
    od;
    record[run_number] = 0;
done:
dead:
    atomic {
        finished++;
        if :: run_number + 1 < RUNS -> run purge(run_number + 1, true) :: else fi
    }
}

/* --- the world ---------------------------------------------------------------------------------------------------- */

/* A hard end may come at any moment of a session; once in a history is enough to be wrong. */
proctype clock() {
    if
    :: sessions -> ended = sessions
    :: finished >= 2 * RUNS
    fi
}

init {
    byte live, p;

    /* One capture at a time, and one purge at a time: that is what their locks are for. */
    atomic {
        content[0] = X0 | Y0;
        stored = BIT(0);
        index[0] = BIT(0);
        head[0] = X0 | Y0;
        head[1] = Y0;
        run clock();
        run capture(0);
        run purge(0, true)
    }
    finished == 2 * RUNS;

    /* Whatever was killed, one run alone cleans up behind it, with no help by hand. */
    run purge(RUNS, false);
    finished == 2 * RUNS + 1;
    nothing_is_lost();
    d_step {
        union_of_heads(live);
        union_of_index(m);
        assert(stored == m);
        union_of_records(m);
        assert(m == 0);
        p = 0;
        do
        :: p < PACKS -> if :: stored & BIT(p) -> assert((content[p] & ~live) == 0) :: else fi; p++
        :: else -> break
        od
    }
}
