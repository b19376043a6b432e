// Counts lines, words and bytes; ../../examples/word-count/wit/world.wit describes the tasks.

#include <wctype.h>

#include "word_count.h"
#include "taskcell.h"

#define TOP 5

typedef struct {
    uint8_t *ptr;
    size_t len;
    uint32_t times;
} word_t;

// ASCII whitespace as C has it in its own locale.
static bool is_space(uint8_t byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

// Takes one character off the front of UTF-8; what is none is U+FFFD, as long as it is a prefix of one.
static uint32_t character(const uint8_t **at, const uint8_t *end) {
    uint8_t first = *(*at)++;
    if (first < 0x80)
        return first;
    // How many bytes follow, and between what the first of them has to be: no surrogates, nothing longer than it needs to be.
    int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (first < 0xc2 || first > 0xf4)
        return 0xfffd;
    uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    uint32_t code = first & (0x3f >> more);
    for (; more; more--, low = 0x80, high = 0xbf) {
        if (*at == end || **at < low || **at > high)
            return 0xfffd;
        code = code << 6 | (*(*at)++ & 0x3f);
    }
    return code;
}

// Adds one character to UTF-8 that has room for it.
static void add(uint8_t *text, size_t *len, uint32_t code) {
    int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const uint8_t marks[] = {0, 0xc0, 0xe0, 0xf0};
    text[(*len)++] = (uint8_t)(marks[more] | code >> 6 * more);
    while (more--)
        text[(*len)++] = (uint8_t)(0x80 | (code >> 6 * more & 0x3f));
}

static bool alphanumeric(uint32_t code) {
    return code != 0xfffd && iswalnum((wint_t)code);
}

// The word without the punctuation around it, in `*text`, and how many characters it has.
static size_t bare(const uint8_t *at, const uint8_t *end, uint32_t *text) {
    size_t count = 0, first = SIZE_MAX, last = 0;
    while (at != end) {
        text[count] = character(&at, end);
        if (alphanumeric(text[count])) {
            first = first == SIZE_MAX ? count : first;
            last = count + 1;
        }
        count++;
    }
    if (first == SIZE_MAX)
        return 0;
    memmove(text, text + first, (last - first) * sizeof *text);
    return last - first;
}

static int by_text(const void *left, const void *right) {
    const word_t *a = left, *b = right;
    int order = memcmp(a->ptr, b->ptr, a->len < b->len ? a->len : b->len);
    return order ? order : (a->len > b->len) - (a->len < b->len);
}

static int by_times(const void *left, const void *right) {
    const word_t *a = left, *b = right;
    return a->times != b->times ? (a->times < b->times) - (a->times > b->times) : by_text(left, right);
}

static void count(const uint8_t *text, size_t len, word_count_counts_t *counts) {
    // A character of a word takes four bytes at most, also in lower case, and no word is longer than the text.
    uint32_t *characters = tc_alloc(len, sizeof *characters);
    uint8_t *lower = tc_alloc(4 * len, 1);
    word_t *words = tc_alloc(len / 2 + 1, sizeof *words);
    size_t longest = 0, known = 0, used = 0;
    const uint8_t *at = text, *end = text + len;
    *counts = (word_count_counts_t){.bytes = len};
    tc_text(&counts->longest, "");
    while (at != end) {
        if (is_space(*at)) {
            counts->lines += *at++ == '\n';
            continue;
        }
        const uint8_t *word = at;
        while (at != end && !is_space(*at))
            at++;
        counts->words++;
        size_t length = bare(word, at, characters);
        if (!length)
            continue;
        if (length > longest) {
            longest = length;
            counts->longest.ptr = realloc(counts->longest.ptr, 4 * length);
            if (!counts->longest.ptr)
                tc_trap();
            counts->longest.len = 0;
            for (size_t place = 0; place < length; place++)
                add(counts->longest.ptr, &counts->longest.len, characters[place]);
        }
        words[known] = (word_t){.ptr = lower + used, .times = 1};
        for (size_t place = 0; place < length; place++)
            add(words[known].ptr, &words[known].len, (uint32_t)towlower((wint_t)characters[place]));
        used += words[known++].len;
    }
    // Equal words come to stand side by side, and each run of them becomes one.
    qsort(words, known, sizeof *words, by_text);
    size_t distinct = 0;
    for (size_t place = 0; place < known; place++) {
        if (distinct && !by_text(&words[distinct - 1], &words[place]))
            words[distinct - 1].times++;
        else
            words[distinct++] = words[place];
    }
    qsort(words, distinct, sizeof *words, by_times);
    tc_list(&counts->top, distinct < TOP ? distinct : TOP);
    for (size_t place = 0; place < counts->top.len; place++) {
        tc_set(&counts->top.ptr[place].f0, words[place].ptr, words[place].len);
        counts->top.ptr[place].f1 = words[place].times;
    }
    free(words);
    free(lower);
    free(characters);
}

void exports_word_count_count_words(word_count_list_u8_t *text, word_count_counts_t *ret) {
    count(text->ptr, text->len, ret);
    word_count_list_u8_free(text);
}

bool exports_word_count_count_text(word_count_string_t *text, word_count_counts_t *ret, word_count_string_t *err) {
    count(text->ptr, text->len, ret);
    word_count_string_free(text);
    if (ret->words)
        return true;
    word_count_counts_free(ret);
    tc_text(err, "the text has no words");
    return false;
}
