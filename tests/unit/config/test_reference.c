/* The pages in docs/ and etc/ against the table. The working directory is the top of the source tree. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "config/settings_impl.h"
#include "fixture.h"
#include "pgweir/config/reference.h"

void suite_reference(void);

#define REFERENCE "docs/configuration.md"
#define SAMPLE "etc/pgweir.ini"
#define USERLIST "etc/userlist.txt"

/* Reads FILE, or writes WANTED to it first when PGWEIR_WRITE_REFERENCE asks for that. */
static bool
is_up_to_date(const char *file, struct buf *wanted)
{
    struct file_facts facts;
    struct buf is;
    bool is_same;

    buf_init(&is);
    if (getenv("PGWEIR_WRITE_REFERENCE") != NULL) {
        FILE *out = fopen(file, "w");

        if (out != NULL) {
            fputs(buf_text(wanted), out);
            fclose(out);
        }
    }
    is_same = file_read(file, &is, &facts, NULL) == ERR_NONE &&
              slice_equal(buf_slice(&is), buf_slice(wanted));
    if (!is_same)
        fprintf(stderr,
                "\n    %s does not match the option table: PGWEIR_WRITE_REFERENCE=1 unit_config reference\n",
                file);
    buf_release(&is);
    return is_same;
}

static void
the_reference_page_is_what_the_table_says(void)
{
    struct buf page;

    buf_init(&page);
    config_write_reference(&page);
    CU_ASSERT_TRUE(is_up_to_date(REFERENCE, &page));
    for (size_t i = 0; i < option_count; i++) {
        struct buf heading;

        buf_init(&heading);
        buf_add_format(&heading, "\n### %s\n", options[i].name);
        CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&page), buf_text(&heading)));
        CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&page), options[i].text));
        buf_release(&heading);
    }
    buf_release(&page);
}

static void
the_sample_names_every_option_with_its_preset(void)
{
    struct buf sample;

    buf_init(&sample);
    config_write_sample(&sample);
    CU_ASSERT_TRUE(is_up_to_date(SAMPLE, &sample));
    for (size_t i = 0; i < option_count; i++) {
        const char *preset = options[i].preset;
        struct buf line;

        buf_init(&line);
        buf_add_format(&line, "\n;%s =%s%s\n", options[i].name, *preset == '\0' ? "" : " ", preset);
        CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(&sample), buf_text(&line)));
        buf_release(&line);
    }
    buf_release(&sample);
}

/* Without the one `;` in front of what is not an explanation. */
static void
uncomment(const char *sample, struct buf *out)
{
    while (*sample != '\0') {
        size_t len = strcspn(sample, "\n") + 1;
        bool is_example = sample[0] == ';' && sample[1] != ';';

        buf_add(out, slice_of(sample + (is_example ? 1 : 0), len - (is_example ? 1 : 0)));
        sample += len;
    }
}

static void
the_sample_loads_as_it_is_and_uncommented(void)
{
    struct buf sample, text, told;
    struct settings *as_it_is = NULL;
    struct fixture f;

    buf_init(&sample);
    buf_init(&text);
    buf_init(&told);
    config_write_sample(&sample);
    uncomment(buf_text(&sample), &text);

    fixture_init(&f);
    CU_ASSERT_EQUAL(mkdir("etc", 0700), 0);
    fixture_write(USERLIST, "\"joe\" \"x\"\n");
    fixture_load(&f, buf_text(&sample));
    CU_ASSERT_EQUAL(f.result, ERR_NONE);
    CU_ASSERT_STRING_EQUAL(buf_text(&f.warnings), "");
    as_it_is = f.settings;
    f.settings = NULL;
    fixture_load(&f, buf_text(&text));
    CU_ASSERT_EQUAL_FATAL(f.result, ERR_NONE);
    settings_tell_changes(as_it_is, f.settings, &told);
    CU_ASSERT_STRING_EQUAL(buf_text(&told),
                           "database app: added\ndatabase reports: added\nuser analytics_user: added\n");
    settings_drop(as_it_is);
    CU_ASSERT_EQUAL(unlink(USERLIST), 0);
    fixture_fini(&f);

    buf_release(&sample);
    buf_release(&text);
    buf_release(&told);
}

static void
the_sample_in_the_source_tree_loads_with_its_auth_file(void)
{
    struct settings *settings = NULL;
    struct buf problems, warnings;
    struct error why;

    buf_init(&problems);
    buf_init(&warnings);
    CU_ASSERT_EQUAL(settings_load_through(file_read, SAMPLE, &settings, &problems, &warnings, &why),
                    ERR_NONE);
    CU_ASSERT_STRING_EQUAL(buf_text(&problems), "");
    CU_ASSERT_PTR_NOT_NULL(settings_auth_secret(settings, "app_user"));
    settings_drop(settings);
    buf_release(&problems);
    buf_release(&warnings);
}

void
suite_reference(void)
{
    CU_pSuite suite = CU_add_suite("reference", NULL, NULL);

    CU_ADD_TEST(suite, the_reference_page_is_what_the_table_says);
    CU_ADD_TEST(suite, the_sample_names_every_option_with_its_preset);
    CU_ADD_TEST(suite, the_sample_loads_as_it_is_and_uncommented);
    CU_ADD_TEST(suite, the_sample_in_the_source_tree_loads_with_its_auth_file);
}
