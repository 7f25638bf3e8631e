/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suggest.c - optimal string alignment distance over three rows.
 *
 * A word is near when its distance is at most SUGGEST_DISTANCE_MAX and smaller than the word that
 * was typed is long: every one-letter word is two edits away from every other.
 */
#include "cli/suggest.h"

static unsigned char lower(char c)
{
    unsigned char u = (unsigned char)c;
    return u >= 'A' && u <= 'Z' ? (unsigned char)(u + 32) : u;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

struct rows {
    unsigned before[SUGGEST_WORD_MAX + 1];
    unsigned last[SUGGEST_WORD_MAX + 1];
    unsigned next[SUGGEST_WORD_MAX + 1];
};

static void fill_row(struct rows *rows, struct str a, struct str b, size_t i)
{
    rows->next[0] = (unsigned)i;
    for (size_t j = 1; j <= b.size; j++) {
        unsigned cost = lower(a.data[i - 1]) == lower(b.data[j - 1]) ? 0 : 1;
        rows->next[j] = min3(rows->last[j] + 1, rows->next[j - 1] + 1, rows->last[j - 1] + cost);
        if (i > 1 && j > 1 && lower(a.data[i - 1]) == lower(b.data[j - 2]) &&
            lower(a.data[i - 2]) == lower(b.data[j - 1]) && rows->before[j - 2] + 1 < rows->next[j])
            rows->next[j] = rows->before[j - 2] + 1;
    }
}

unsigned suggest_distance(struct str a, struct str b)
{
    struct rows rows;
    if (a.size > SUGGEST_WORD_MAX || b.size > SUGGEST_WORD_MAX)
        return UINT32_MAX;
    memset(&rows, 0, sizeof rows);
    for (size_t j = 0; j <= b.size; j++)
        rows.last[j] = (unsigned)j;
    for (size_t i = 1; i <= a.size; i++) {
        fill_row(&rows, a, b, i);
        memcpy(rows.before, rows.last, sizeof rows.last);
        memcpy(rows.last, rows.next, sizeof rows.next);
    }
    return rows.last[b.size];
}

struct suggest suggest_for(struct str wanted)
{
    return (struct suggest){.wanted = wanted, .distance = SUGGEST_DISTANCE_MAX + 1};
}

void suggest_offer(struct suggest *suggest, struct str word)
{
    unsigned distance = suggest_distance(suggest->wanted, word);
    if (distance < suggest->distance && distance < suggest->wanted.size) {
        suggest->distance = distance;
        suggest->best = word;
    }
}
