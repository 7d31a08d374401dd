/* Claim, lease, recovery and commit of one job by hosts that may be killed at every step. README.md says how to read and run it.
 *
 * A stopped or slow process needs no step of its own: it is one that is not scheduled for a while, and the clock may let any
 * deadline and any lease pass meanwhile. Each transaction of the ledger is one atomic block. Between two statements everything may
 * happen, the death of this host included.
 */
#define HOSTS    2
#define SLOTS    2                   /* due times of the job, in order */
#define ATTEMPTS 2                   /* per slot: the first one and one retry */
#define KILLS    2
#define RUNS     5                   /* one more than SLOTS * ATTEMPTS: room for a mutant's error */
#define NONE     255

mtype = { running, ok, failed, orphaned };

/* The ledger. */
byte next = 0;                       /* the next due slot */
byte pending = NONE;                 /* a slot that has a further attempt to come */
byte claim = NONE;                   /* the run in flight: its index is its run id and its seq */
byte owner, life;                    /* of the claim: a host, and which life of it */
byte runs = 0;                       /* how many were ever claimed */
byte state = 0;                      /* the job's state, as a version number */
byte attempts[SLOTS];
mtype verdict[SLOTS];                /* 0: none yet */
mtype outcome[RUNS];
byte slotof[RUNS];

/* The world outside the ledger. */
byte kills = KILLS;
byte doomed = NONE;                  /* the host that is to die next */
byte lives[HOSTS];                   /* a host that died comes back as another owner */
byte joblock = NONE;                 /* the host that holds it; a death gives it back */
bool past;                           /* the claim's deadline is over */
bool lapsed[HOSTS];                  /* the lease is not renewed in time */
byte acting = 0;                     /* guests that are at work */
byte started[SLOTS];                 /* guests that were started for the slot */

#define dead        (lives[owner] != life)
#define due         (pending != NONE || next < SLOTS)
#define settled     (next == SLOTS && pending == NONE && claim == NONE)

#if defined(NO_EVIDENCE)             /* mutant: whatever is open and not one's own is taken for an orphan */
#define orphan      (owner != me)
#elif defined(FAR)                   /* hosts on different machines: nothing is known of an owner but its lease */
#define orphan      (past || lapsed[owner])
#else                                /* the owner's lock: free at its death, and not before */
#define orphan      (past || dead)
#endif

#if defined(NO_JOB_LOCK) || defined(FAR)
#define lockfree    true
#else
#define lockfree    (joblock == NONE)
#endif

#ifdef NO_FENCE                      /* mutant: the token is not asked for */
#define holds(r)    true
#else
#define holds(r)    (claim == r)
#endif

inline advance() {
	if :: pending == NONE -> next++ :: else -> pending = NONE fi
}

/* What a slot comes to with the end of an attempt. */
inline finish(r, what) {
	assert(outcome[r] == running);   /* a run has one outcome */
	outcome[r] = what;
	if :: claim == r -> claim = NONE; owner = 0; life = 0; past = false :: else fi;
	if
	:: what != ok && attempts[slotof[r]] < ATTEMPTS -> pending = slotof[r]
	:: else -> verdict[slotof[r]] = what
	fi
}

inline unlock() {
	if :: joblock == me -> joblock = NONE :: else fi
}

active [HOSTS] proctype host() {
	byte me = _pid;
	byte r, base, slot;
	bool in, won;
	do
	:: {
		do
		:: atomic { lockfree && claim == NONE && due -> joblock = me };
			atomic {                 /* the claim */
				if
				:: claim == NONE && due ->
					slot = (pending != NONE -> pending : next);
					r = runs; runs++;
					slotof[r] = slot; outcome[r] = running;
					attempts[slot]++;
					assert(attempts[slot] <= ATTEMPTS);
					claim = r; owner = me; life = lives[me]; base = state; slot = 0;
#ifndef ADVANCE_LATE
					advance()
#endif
				:: else -> unlock(); goto idle
				fi
			};
			if                       /* still ours? A moment later it may be over again */
			:: claim == r
			:: claim != r -> unlock(); goto idle
			fi;
			atomic {                 /* the guest begins to act */
				in = true; acting++; started[slotof[r]]++;
				assert(started[slotof[r]] <= ATTEMPTS);
#ifndef FAR
				assert(acting == 1)  /* on one machine no two runs of a job overlap */
#endif
			};
			atomic { in = false; acting--; unlock() };
			atomic {                 /* the commit: outcome, state and release, if the token still holds */
				won = holds(r);
#ifdef ADVANCE_LATE
				if :: won -> advance() :: else fi;
#endif
				if
				:: won ->
					assert(state == base);   /* nobody has written since this run read: no update is lost */
					state++; finish(r, ok)
				:: won -> finish(r, failed)
				:: else              /* late: dropped, with a note on the run */
				fi
			};
			atomic {                 /* the notification: of a result that was committed, and of no other */
				if :: won -> assert(outcome[r] == ok || outcome[r] == failed) :: else fi;
				goto idle
			}
		:: atomic { claim != NONE && orphan -> r = claim };
			atomic {                 /* meanwhile its owner may have committed, or another host recovered it */
				if
				:: claim == r ->
#ifndef FAR
					assert(past || dead);   /* nobody takes a live owner's run within its deadline */
#endif
					finish(r, orphaned)
				:: else
				fi;
				goto idle
			}
#ifdef FAR
		:: atomic { lapsed[me] -> lapsed[me] = false }   /* renewed */
#endif
		:: settled -> goto done
		od;
idle:	atomic { r = 0; base = 0; won = false }
	} unless { atomic {              /* the kernel ends the guest with its host and frees every lock; another owner comes up */
		doomed == me ->
		doomed = NONE; lives[me]++; r = 0; base = 0; won = false;
		if :: in -> in = false; acting-- :: else fi;
		unlock()
	} }
	od;
done:
	skip
}

active proctype world() {
	do
	:: atomic { claim != NONE && !past -> past = true }
#ifdef FAR
	:: atomic { claim != NONE && !lapsed[owner] -> lapsed[owner] = true }
#endif
	:: atomic { kills > 0 && doomed == NONE && !settled -> kills--; if :: doomed = 0 :: doomed = 1 fi }
	:: settled -> break
	od
}

/* Every slot that is not due any more has its verdict, a claim, or an attempt to come. What ends here has no open record: a run
 * that nobody could ever close would leave the hosts without a step, which the checker reports as an invalid end state. */
#define kept(s) (next <= s || verdict[s] || pending == s || (claim != NONE && slotof[claim] == s))

active proctype audit() {
	do
	:: atomic { !(kept(0) && kept(1)) -> assert(false) }
	:: atomic { settled -> assert(verdict[0] && verdict[1]); break }
	od
}
