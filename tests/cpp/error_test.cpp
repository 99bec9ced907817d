/* Results and errors: what is kept, what is thrown, and what the codes equal. */
#include "support/cpp.hpp"

#include <memory>
#include <shmipc/shmipc.hpp>
#include <string_view>
#include <type_traits>

static_assert(std::is_error_code_enum_v<shmipc::errc>);
static_assert(std::is_trivially_destructible_v<shmipc::result<shmipc::message>>);

static void a_result_has_a_value_or_an_error() {
    shmipc::result<int> good = 7;
    must(good && good.has_value() && *good == 7 && good.value() == 7);

    shmipc::result<int> bad = shmipc::error(shmipc::errc::full, "15 of 15");
    must(!bad && !bad.has_value() && bad.error().code() == shmipc::errc::full);
    must(std::string_view(bad.error().what()) == "15 of 15");

    shmipc::result<void> nothing;
    must(nothing.has_value());
    nothing = shmipc::error(shmipc::errc::stale, "");
    must(!nothing);
}

static void a_value_may_be_one_that_only_moves() {
    shmipc::result<std::unique_ptr<int>> made = std::make_unique<int>(3);
    std::unique_ptr<int> taken = *std::move(made);
    must(*taken == 3);
    must(*shmipc::result<std::unique_ptr<int>>(std::make_unique<int>(4)).value() == 4);
}

/* Throws if there is none, with code and sentence. */
template <class Result> static void expect_throw(const Result &bad) {
    try {
        (void)bad.value();
    } catch (const std::system_error &thrown) {
        must(thrown.code() == shmipc::errc::denied);
        must(thrown.code() == std::errc::permission_denied);
        must(std::string_view(thrown.what()) == "no entry");
        must(dynamic_cast<const shmipc::exception &>(thrown).error().os_error() == 13);
        return;
    }
    testing::die(__FILE__, __LINE__, "value() did not throw");
}

/* What a result gave away is there as long as the name for it. */
static void values_of_results_that_end_are_kept() {
    const auto make = [] { return shmipc::result<std::string>(std::string(100, 'x')); };
    auto &&value = *make();
    auto &&checked = make().value();
    must(value.size() == 100 && checked.size() == 100);
    const auto &error = shmipc::result<int>(shmipc::error(shmipc::errc::full, "text")).error();
    must(std::string_view(error.what()) == "text");
}

static void only_value_throws() {
    const shmipc::error error(shmipc::errc::denied, "no entry", 13);
    expect_throw(shmipc::result<int>(error));
    expect_throw(shmipc::result<void>(error));
}

static void a_text_of_any_length_is_kept_or_cut() {
    must(std::string_view(shmipc::error(shmipc::errc::name, "").what()).empty());
    const std::string longest(511, 'x');
    must(shmipc::error(shmipc::errc::name, longest).what() == longest);
    must(shmipc::error(shmipc::errc::name, longest + "y").what() == longest);
}

static void the_sentence_is_kept_when_another_failure_follows() {
    auto first = shmipc::host::create("a name with spaces");
    must(!first && first.error().code() == shmipc::errc::name);
    const std::string sentence = first.error().what();
    auto second = shmipc::remove_dead_region("none.such");
    must(!second && sentence == first.error().what());
    must(sentence != second.error().what());
}

static void codes_equal_those_of_the_standard() {
    const auto equal = [](shmipc::errc code, std::errc standard) {
        return shmipc::make_error_code(code) == standard;
    };
    must(equal(shmipc::errc::timeout, std::errc::timed_out));
    must(equal(shmipc::errc::timeout_started, std::errc::timed_out));
    must(equal(shmipc::errc::cancelled, std::errc::operation_canceled));
    must(equal(shmipc::errc::cancelled_started, std::errc::operation_canceled));
    must(equal(shmipc::errc::invalid, std::errc::invalid_argument));
    must(equal(shmipc::errc::no_memory, std::errc::not_enough_memory));
    must(equal(shmipc::errc::not_supported, std::errc::not_supported));
    must(equal(shmipc::errc::no_descriptors, std::errc::too_many_files_open));
    must(equal(shmipc::errc::no_space, std::errc::no_space_on_device));
    must(equal(shmipc::errc::name_in_use, std::errc::address_in_use));
    must(equal(shmipc::errc::not_found, std::errc::no_such_file_or_directory));
    must(equal(shmipc::errc::denied, std::errc::permission_denied));
    must(equal(shmipc::errc::too_large, std::errc::message_size));
    must(!equal(shmipc::errc::corrupt, std::errc::invalid_argument));
    const std::error_code code = shmipc::errc::peer_died;
    must(code.message() == shmipc_strerror(SHMIPC_E_PEER_DIED));
    must(std::string_view(code.category().name()) == "shmipc");
}

/* A code that C has and C++ does not would stay without a name here. */
static void every_code_of_c_has_a_name_in_cpp() {
    must(static_cast<int>(shmipc::errc::name_lost) == SHMIPC_E_NAME_LOST);
    const std::string_view unknown = shmipc_strerror(SHMIPC_E_NAME_LOST - 1);
    for (int code = SHMIPC_E_INVALID; code >= SHMIPC_E_NAME_LOST; code--)
        must(shmipc_strerror(code) != unknown);
}

int main() {
    return testing::run(
        {SCENE(a_result_has_a_value_or_an_error), SCENE(a_value_may_be_one_that_only_moves),
         SCENE(values_of_results_that_end_are_kept), SCENE(only_value_throws),
         SCENE(a_text_of_any_length_is_kept_or_cut),
         SCENE(the_sentence_is_kept_when_another_failure_follows),
         SCENE(codes_equal_those_of_the_standard), SCENE(every_code_of_c_has_a_name_in_cpp)});
}
