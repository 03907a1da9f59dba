/* Whoever waits for a stream is served: the liveness twin of `src/lease_and_permits.rs`.
 *
 * The steps are those of `millstream-sync/src/permits.rs`. Slots are counted and have no names: which one a thread gets is the business of the
 * other model. Threads come as often as they like and may stay away for ever; who uses a slot gives it back. The lock goes to those who
 * ask for it in their order: a lock that is fair in the end is what the code has. Time is a choice: a sleeper's deadline may pass, but the
 * first thread has none, so that what is said of it is not said of the clock.
 *
 * Under weak fairness: a thread that can go on for ever goes on.
 *
 * served      who sleeps for a slot, without a deadline, wakes: with one, or by the close
 * gets        who comes for a slot uses one (nobody closes, no deadline)
 * closes      who closes the pool sees all slots come back
 *
 * -DTIMED: the others have deadlines. -DCLOSES: somebody closes. -DSLOTS=n -DTHREADS=n. -DNO_...: a planted bug.
 */

#ifndef THREADS
#define THREADS 3
#endif
#ifndef SLOTS
#define SLOTS 1
#endif

mtype = { AWAY, ARRIVED, ASLEEP, USING };

mtype phase[THREADS] = AWAY;
bool granted[THREADS];       /* a slot was claimed for this one */
bool told[THREADS];          /* was told of the close while asleep */
byte available = SLOTS;      /* slots whose bit is clear */
byte waiting[THREADS];       /* the queue, oldest first */
byte waiters;                /* its length, looked at without the lock */
bool closed, freed;
chan lock = [THREADS + 1] of { byte };

#define CLOSER THREADS

inline take_lock(i) {
    lock!i;
    lock?[eval(i)]
}

inline give_lock(i) {
    lock?eval(i)
}

/* Under the lock: claims free slots for those who wait, oldest first. */
inline grant() {
    atomic {
        do
        :: waiters > 0 && available > 0 ->
            available--;
#ifdef NEWEST_FIRST
            granted[waiting[waiters - 1]] = true;
            waiters--;
#else
            granted[waiting[0]] = true;
            remove_at(0);
#endif
        :: else -> break
        od;
        j = 0
    }
}

inline remove_at(from) {
    j = from;
    do
    :: j + 1 < waiters -> waiting[j] = waiting[j + 1]; j++
    :: else -> break
    od;
    waiters--;
    waiting[waiters] = 0
}

/* Under the lock: out of the queue, if it is still there. */
inline leave(i) {
    atomic {
        k = 0;
        do
        :: k < waiters && waiting[k] != i -> k++
        :: else -> break
        od;
        if
        :: k < waiters -> remove_at(k)
        :: else
        fi;
        j = 0;
        k = 0
    }
}

proctype Thread(byte i) {
    byte j, k;
away:
    phase[i] = AWAY;
    if
    :: goto gone
    :: phase[i] = ARRIVED
    fi;
    /* the first look at the state of the pool */
#ifndef NO_FIRST_CHECK
    if
    :: closed -> goto away
    :: else
    fi;
#endif
    /* who comes behind others does not claim past them */
#ifndef NO_LOOK_FOR_WAITERS
    if
    :: waiters > 0 -> goto enrol
    :: else
    fi;
#endif
    if
    :: atomic { available > 0 -> available-- }; goto verify
    :: else
    fi;
enrol:
    take_lock(i);
    d_step { waiting[waiters] = i; waiters++; phase[i] = ASLEEP };
    /* a slot may have been freed before anybody could see this waiter */
#ifndef NO_RECHECK
    grant();
#endif
    if
    :: closed -> goto give_up
    :: !closed && granted[i] -> goto serve
    :: else -> give_lock(i)
    fi;
    if
    :: granted[i] || told[i] -> take_lock(i)
#ifdef TIMED
    :: i > 0 -> take_lock(i); goto give_up
#endif
    fi;
    if
    :: granted[i] && !closed -> goto serve
    :: closed -> goto give_up
    fi;
give_up:
    told[i] = false;
    leave(i);
    if
    :: granted[i] ->
        granted[i] = false;
#ifndef PERMIT_SWALLOWED
        available++;
        grant()
#endif
    :: else
    fi;
    give_lock(i);
    goto away;
serve:
    atomic { granted[i] = false; told[i] = false };
    give_lock(i);
    phase[i] = ARRIVED;
verify:
    /* the second look */
    if
    :: closed
    :: else -> phase[i] = USING; phase[i] = AWAY
    fi;
    available++;
#ifndef NO_GRANT
    if
    :: waiters > 0 -> take_lock(i); grant(); give_lock(i)
    :: else
    fi;
#endif
    goto away;
gone:
    skip
}

proctype Closer() {
    byte j;
    closed = true;
    take_lock(CLOSER);
    d_step {
        do
        :: j < THREADS -> told[j] = (phase[j] == ASLEEP); j++
        :: else -> j = 0; break
        od
    };
    give_lock(CLOSER);
    available == SLOTS;
    freed = true
}

init {
    byte t;
    atomic {
        do
        :: t < THREADS -> run Thread(t); t++
        :: else -> break
        od;
#ifdef CLOSES
        run Closer()
#endif
    }
}

ltl served { [] (phase[0] == ASLEEP -> <> (phase[0] != ASLEEP)) }
ltl gets { [] (phase[0] == ARRIVED -> <> (phase[0] == USING)) }
ltl closes { [] (closed -> <> freed) }
